//! Checks that links lead to existing pages, files and headings, on GitHub and in the book.

use std::{collections::BTreeSet, path::Path};

use super::pages;

/// Returns the path of a link's target, from the project's root.
fn target(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = Path::new(page).parent()?.to_str()?.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let pages = pages::all();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, heading) = link.split_once('#').map_or((link.as_str(), None), |(file, id)| (file, Some(id)));
            let to = if file.is_empty() { Some(path.clone()) } else { target(path, file) };
            let exists = to.as_ref().is_some_and(|to| pages::root().join(to).exists());
            // The book has only its own pages.
            let in_book = !path.starts_with("docs/") || to.as_ref().is_some_and(|to| to.starts_with("docs/"));
            let has_heading = heading.is_none_or(|id| {
                to.as_ref()
                    .and_then(|to| pages.get(to))
                    .is_some_and(|page| page.anchors.iter().any(|anchor| anchor == id))
            });
            if !(exists && in_book && has_heading) {
                wrong.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(seen > 150, "{seen}");
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn a_heading_is_on_its_page_once() {
    for (path, page) in pages::all() {
        let different: BTreeSet<&String> = page.anchors.iter().collect();
        // A changelog repeats the headings for the kinds of changes.
        assert!(path == "CHANGELOG.md" || different.len() == page.anchors.len(), "{path}: {:?}", page.anchors);
    }
}

#[test]
fn every_page_is_in_the_book_and_the_readme_is_short() {
    let pages = pages::all();
    let summary = &pages["docs/SUMMARY.md"].links;
    let listed: BTreeSet<String> = summary.iter().filter_map(|link| target("docs/SUMMARY.md", link)).collect();
    let written: BTreeSet<String> =
        pages.keys().filter(|path| path.starts_with("docs/") && *path != "docs/SUMMARY.md").cloned().collect();
    assert_eq!(listed, written);
    assert_eq!(listed.len(), summary.len(), "a page is in docs/SUMMARY.md twice");
    let readme = std::fs::read_to_string(pages::root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 200);
}
