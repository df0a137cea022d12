//! Tables as programs read them, and as terminals of several widths show them.

use super::*;

/// `awk '{print $1}'` and people both read these tables.
#[test]
fn columns_line_up_and_rows_are_lines() {
    let mut table = Table::new(&["NAME", "SKILLS"]);
    table.row(["weather".into(), "a,b".into()]);
    table.row(["é".into(), "x\ny".into()]);
    assert_eq!(table.to_string(), "NAME      SKILLS\nweather   a,b\né         x y\n");
}

/// A name in somebody's file is as long as he wants.
#[test]
fn a_cell_may_be_of_any_length() {
    let long = "x".repeat(1 << 17);
    let mut table = Table::new(&["A", "B"]);
    table.row([long.clone(), "b".into()]);
    assert_eq!(table.to_string(), format!("A{}B\n{long}   b\n", " ".repeat(long.len() + 2)));
}

fn shown(table: &Table, width: usize) -> String {
    let text = anstream::adapter::strip_str(&table.laid_out(Look::terminal(width, true), true)).to_string();
    for line in text.lines() {
        assert!(crate::wrap::width(line) <= width, "{width} columns: {line:?} of\n{text}");
        assert_eq!(line.trim_end(), line, "blanks at the end in\n{text}");
    }
    text
}

fn doctor() -> Table {
    let mut table = Table::new(&["CLUSTER", "CHECK", "FOUND"]).with_states(0);
    table.row(["ok".into(), "version".into(), "1.37.2".into()]);
    table.mood(Mood::Good);
    table.row([
        "failed".into(),
        "image volumes".into(),
        "the field image of a volume is dropped by the API server".into(),
    ]);
    table.mood(Mood::Bad);
    table
}

/// A long last cell began again at the left edge, under the names.
#[test]
fn the_last_column_wraps_under_itself() {
    assert_eq!(
        shown(&doctor(), 60),
        "CLUSTER    CHECK           FOUND\n\
         ✓ ok       version         1.37.2\n\
         ✗ failed   image volumes   the field image of a volume is\n\
         \u{20}                          dropped by the API server\n"
    );
}

/// Where a terminal is too narrow for it, the last column goes under its row.
#[test]
fn a_narrow_terminal_has_the_last_column_under_the_row() {
    assert_eq!(
        shown(&doctor(), 34),
        "CLUSTER    CHECK\n\
         ✓ ok       version\n    1.37.2\n\
         ✗ failed   image volumes\n    the field image of a volume is\n    dropped by the API server\n"
    );
}

/// Lists in other columns break at their commas before the reason loses its room.
#[test]
fn lists_and_references_break_at_their_seams() {
    let mut table = Table::new(&["NAME", "SKILLS", "REASON"]);
    table.row([
        "weather".into(),
        "forecast,calendar,translate,summary".into(),
        "the workload has what it should have".into(),
    ]);
    assert_eq!(
        shown(&table, 60),
        "NAME      SKILLS                REASON\n\
         weather   forecast,calendar,    the workload has what it\n\
         \u{20}         translate,summary     should have\n"
    );
}

/// Not even names fit side by side: each on a line of its own, rather than columns that run into each other.
#[test]
fn where_nothing_fits_each_cell_has_a_line() {
    let mut table = Table::new(&["IMAGE", "DIGEST", "STATE"]);
    table.row([
        "ghcr.io/acme/forecast-of-tomorrow:1".into(),
        "0123456789abcdef0123456789".into(),
        "new".into(),
    ]);
    table.row(["b".into(), "c".into(), "d".into()]);
    assert_eq!(
        shown(&table, 32),
        "IMAGE      ghcr.io/acme/\n           forecast-of-tomorrow:\n           1\n\
         \u{20} DIGEST   0123456789abcdef01234\n           56789\n  STATE    new\n\n\
         IMAGE      b\n  DIGEST   c\n  STATE    d\n"
    );
}

/// Before a name is broken, columns move closer.
#[test]
fn columns_move_closer_where_that_is_enough() {
    let mut table = Table::new(&["NAME", "TARGET", "WHY"]);
    table.row(["a-long-name".into(), "another-name".into(), "x y".into()]);
    assert_eq!(shown(&table, 30), "NAME         TARGET        WHY\na-long-name  another-name  x y\n");
}

/// A name is copied into the next command: the reason leaves the row before a name is broken.
#[test]
fn names_are_the_last_to_wrap() {
    let mut table = Table::new(&["NAME", "TARGET", "REASON"]);
    table.row(["skillbinding/weather".into(), "Deployment/weather".into(), "it is as it should be".into()]);
    let out = shown(&table, 48);
    assert_eq!(
        out,
        "NAME                   TARGET\nskillbinding/weather   Deployment/weather\n    it is as it should be\n"
    );
}

/// A mark stood alone on a line, and its state below it.
#[test]
fn a_mark_stays_with_its_state() {
    let mut table = Table::new(&["NAME", "ACTION", "SKILLS", "REASON"]).with_states(1);
    table.row([
        "a".into(),
        "configured".into(),
        "pdf,citations".into(),
        "two skills are to be mounted".into(),
    ]);
    table.mood(Mood::Change);
    assert_eq!(
        shown(&table, 62),
        "NAME   ACTION         SKILLS      REASON\n\
         a      → configured   pdf,        two skills are to be mounted\n\
         \u{20}                     citations\n"
    );
}

/// A row with three findings showed the first and "and 2 more"; all of them are under their row, and rows that are
/// well have none.
#[test]
fn findings_stand_under_their_row() {
    let mut table = Table::new(&["NAME", "STATE", "REASON"]).with_states(1);
    table.row(["weather".into(), "ok".into(), "<none>".into()]);
    table.mood(Mood::Good);
    table.findings(&[]);
    table.row(["pdf".into(), "drifted".into(), "a is not mounted (and 1 more)".into()]);
    table.mood(Mood::Warning);
    table.findings(&["a is not mounted".into(), "b\u{1b}[2J is not".into()]);
    assert_eq!(
        shown(&table, 40),
        "NAME      STATE\nweather   ✓ ok\npdf       ! drifted\n    a is not mounted\n    b\\u{1b}[2J is not\n"
    );
    assert_eq!(
        table.to_string(),
        "NAME      STATE     REASON\nweather   ok        <none>\npdf       drifted   a is not mounted (and 1 more)\n"
    );
}

/// Columns of Japanese names and of accents that are characters of their own line up as the terminal shows them.
#[test]
fn wide_and_zero_width_characters_line_up() {
    let mut table = Table::new(&["NAME", "SKILLS"]);
    table.row(["天気".into(), "a".into()]);
    table.row(["e\u{301}".into(), "b".into()]);
    assert_eq!(shown(&table, 40), "NAME   SKILLS\n天気   a\ne\u{301}      b\n");
}

/// Every width is one that somebody's terminal has.
#[test]
fn no_width_is_too_small() {
    for width in 24..200 {
        shown(&doctor(), width);
    }
    for width in 0..24 {
        drop(doctor().laid_out(Look::terminal(width, false), true));
    }
}

/// Colours only say again what words say, and only where a row has a state.
#[test]
fn states_are_coloured_on_terminals() {
    let text = doctor().laid_out(Look::terminal(80, false), true);
    assert!(
        text.contains("\u{1b}[32m+ ok\u{1b}[39m") && text.contains("\u{1b}[31mx failed\u{1b}[39m"),
        "{text:?}"
    );
}
