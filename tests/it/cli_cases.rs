//! The command line as its users see it: each file of tests/cmd is a page of commands with all that they print, and the
//! folder of that name with `.in` is where they run.
//!
//! `TRYCMD=overwrite cargo test --test it cli_cases` writes the pages anew; read the diff before you commit it.

/// Standard output and standard error are one, as on a terminal.
#[test]
fn every_page_is_as_the_program_is() {
    trycmd::TestCases::new()
        .register_bin("kubectl-skills", std::path::Path::new(env!("CARGO_BIN_EXE_kubectl-skills")))
        .env("KUBECONFIG", "/nonexistent")
        .case("tests/cmd/*.trycmd");
}
