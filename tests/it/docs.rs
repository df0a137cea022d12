//! Tables of docs/ that are made of data: a page is held against them, or written where `UPDATE_DOCS` is set.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::sync::Mutex;

/// Tests run side by side, and a page has several tables.
static PAGES: Mutex<()> = Mutex::new(());

/// Holds a table of a page, between `<!-- mark -->` and `<!-- /mark -->`, against what it is made of.
pub fn table(page: &str, mark: &str, table: &str) {
    let _alone = PAGES.lock().expect("a page");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(&path).expect(page);
    let (before, rest) = text.split_once(&format!("<!-- {mark} -->\n")).expect(mark);
    let (_, after) = rest.split_once(&format!("<!-- /{mark} -->")).expect(mark);
    let made = format!("{before}<!-- {mark} -->\n{table}<!-- /{mark} -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).expect(page);
    } else {
        assert!(
            text == made,
            "docs/{page} is not made of its data any more: UPDATE_DOCS=1 cargo test --test it skill_"
        );
    }
}
