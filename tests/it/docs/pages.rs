//! Reads the pages as Markdown.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The pages that are not in the book.
const BESIDE: [&str; 6] =
    ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "events/README.md", "tests/fuzz/README.md"];

#[derive(Default)]
pub(super) struct Page {
    /// The targets of links and images.
    pub(super) links: Vec<String>,
    /// The anchors of its headings.
    pub(super) anchors: Vec<String>,
    /// The texts in backquotes.
    pub(super) code: Vec<String>,
    /// The blocks of code, with their language.
    pub(super) blocks: Vec<(String, String)>,
    /// The texts in backquotes in the first cells of table rows, by the heading above the table.
    pub(super) first_cells: BTreeMap<String, Vec<String>>,
    /// The first heading.
    pub(super) title: String,
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns every page by its path from the project's root.
pub(super) fn all() -> BTreeMap<String, Page> {
    let mut paths: Vec<String> = BESIDE.iter().map(|path| (*path).to_owned()).collect();
    below(Path::new("docs"), &mut paths);
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn below(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = folder.join(entry.unwrap().file_name());
        if root().join(&name).is_dir() {
            below(&name, paths);
        } else if name.extension().is_some_and(|extension| extension == "md") {
            paths.push(name.to_str().unwrap().to_owned());
        }
    }
}

pub(super) fn read(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    parse(&text)
}

fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let (mut heading, mut block, mut cell) = (None::<String>, None::<(String, String)>, None::<usize>);
    let mut section = String::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                section = heading.take().unwrap_or_default();
                if page.title.is_empty() {
                    page.title.clone_from(&section);
                }
                page.anchors.push(anchor(&section));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                block = Some((language.into_string(), String::new()));
            }
            Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
            Event::Start(Tag::TableRow) => cell = Some(0),
            Event::Start(Tag::TableHead) | Event::End(TagEnd::Table) => cell = None,
            Event::End(TagEnd::TableCell) => cell = cell.map(|number| number + 1),
            Event::Code(code) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&code);
                }
                if cell == Some(0) {
                    page.first_cells.entry(section.clone()).or_default().push(code.to_string());
                }
                page.code.push(code.into_string());
            }
            Event::Text(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                } else if let Some((_, block)) = &mut block {
                    block.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page
}

/// Returns the anchor that GitHub and mdBook give a heading.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_page_is_read_as_markdown() {
    let page = parse(
        "# A *page*: `one`?\n\nSee [there](b.md#x) and ![it](i.png).\n\n| A `h` | B |\n| --- | --- |\n| `c`, `d` | `e` |\n\n```sh\nls # `f`\n```\n",
    );
    assert_eq!((page.title.as_str(), page.anchors), ("A page: one?", vec!["a-page-one".to_owned()]));
    assert_eq!(page.links, ["b.md#x", "i.png"]);
    assert_eq!(page.code, ["one", "h", "c", "d", "e"]);
    assert_eq!(page.first_cells["A page: one?"], ["c", "d"]);
    assert_eq!(page.blocks, [("sh".to_owned(), "ls # `f`\n".to_owned())]);
}
