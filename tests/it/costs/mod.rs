//! Measures what each kind of message uses on AWS, and generates the tables of `docs/reference/costs.md` from it.
//!
//! `CONNECTOR_WRITE_DOCS=1 cargo nextest run -p connector-tests costs` writes them again, and the sum in `README.md`.

mod deployment;
mod example;
mod meter;
mod page;
mod prices;
mod rows;
mod template;
mod usage;

use std::{collections::BTreeMap, env, fs, path::Path};

use deployment::Line;
use page::Measured;
use rows::Rows;
use template::Settings;

/// Measures a line, and puts the rounded bytes of its logs in place of the measured ones, which vary a little.
async fn measured(line: Line, settings: &Settings) -> Rows {
    let mut rows = rows::measured(line, settings.logs_info).await;
    for (row, usage) in &mut rows {
        let (measured, rounded) = (usage.log_bytes, prices::logged(*row));
        assert!(
            (rounded * 3 / 4..=rounded).contains(&measured),
            "{line:?}, {row:?}: {measured} bytes are logged, and the page counts {rounded}: correct the constant in prices.rs"
        );
        usage.log_bytes = rounded;
    }
    rows
}

#[tokio::test]
async fn the_page_on_costs_says_what_is_measured() {
    let settings = Settings::of_the_template();
    let mut lines = BTreeMap::new();
    for line in Line::ALL {
        lines.insert(line, measured(line, &settings).await);
    }
    let measured = Measured { lines, settings };
    check("docs/reference/costs.md", |page| measured.page(page));
    check("README.md", |readme| measured.readme(readme));
}

/// Checks that a page stays as it is, or writes it.
fn check(name: &str, update: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let found = fs::read_to_string(&path).unwrap();
    let wanted = update(&found);
    if env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert!(found == wanted, "{name} is out of date: run this test with CONNECTOR_WRITE_DOCS=1");
    }
}
