// Draws the Mermaid diagrams of a page, if mermaid.min.js is in the book's root folder.
(() => {
  const sources = document.querySelectorAll("code.language-mermaid");
  if (sources.length === 0) return;
  const script = document.createElement("script");
  script.src = `${path_to_root}mermaid.min.js`;
  script.onload = async () => {
    const dark = ["coal", "navy", "ayu"].some((theme) => document.documentElement.classList.contains(theme));
    window.mermaid.initialize({ startOnLoad: false, suppressErrorRendering: true, theme: dark ? "dark" : "default" });
    for (const source of sources) {
      const diagram = document.createElement("div");
      diagram.className = "mermaid";
      diagram.textContent = source.textContent;
      source.parentElement.replaceWith(diagram);
    }
    await window.mermaid.run();
  };
  document.head.append(script);
})();
