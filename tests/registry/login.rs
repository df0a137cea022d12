//! Logins: challenges, tokens, credential files and helpers, and what happens when one is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::Model;
use crate::server::{Answer, Request, Server};
use crate::{Said, command, faulty, folder, said};

fn model() -> Arc<Model> {
    let model = Arc::new(Model::default());
    model.image("acme/pdf", "1", b"layer");
    model
}

/// A registry that takes this header alone, and otherwise gives this challenge.
fn guarded(model: &Arc<Model>, wanted: &'static str, challenge: String) -> Server {
    faulty(model, move |request, _| {
        let is_in = request.header("authorization") == Some(wanted);
        (!is_in).then(|| {
            let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
            Answer::new(401, body.to_string()).with("WWW-Authenticate", &challenge)
        })
    })
}

fn bearer(realm: &str) -> String {
    format!("Bearer realm=\"http://{realm}/token\",service=\"reg\",scope=\"repository:acme/pdf:pull\"")
}

/// A home with a Docker configuration.
fn home(config: &Value) -> TempDir {
    let home = folder();
    std::fs::create_dir(home.path().join(".docker")).unwrap();
    std::fs::write(home.path().join(".docker/config.json"), config.to_string()).unwrap();
    home
}

fn tags(server: &Server, home: &TempDir, more: &[&str], set: &[(&str, &str)]) -> Said {
    let reference = format!("{}/acme/pdf", server.host);
    let mut command = command(&[&["tags", &reference], more].concat());
    command.env("HOME", home.path()).envs(set.iter().copied()).stdin(std::process::Stdio::null());
    said(command.output().unwrap())
}

/// `user:s3cret`
const BASIC: &str = "Basic dXNlcjpzM2NyZXQ=";

#[test]
fn a_name_and_a_password_of_dockers_file_are_sent_when_they_are_wanted() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let home = home(&json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}}));
    let said = tags(&server, &home, &[], &[]);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (0, "1\n", ""));
    let sent: Vec<_> =
        server.requests().iter().map(|one| one.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some(BASIC.to_owned())]);
}

#[test]
fn a_token_is_fetched_once_and_by_whom_the_file_names() {
    let tokens = Server::start(|_| Answer::new(200, json!({"token": "t1", "expires_in": 300}).to_string()));
    let server = guarded(&model(), "Bearer t1", bearer(&tokens.host));
    let home = home(&json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}}));
    let out = home.path().join("l");
    let reference = format!("{}/acme/pdf:1", server.host);
    let mut command = command(&["pull", &reference, out.to_str().unwrap()]);
    let said = said(command.env("HOME", home.path()).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let asked: Vec<(String, Option<String>)> = tokens
        .requests()
        .iter()
        .map(|one| (one.line(), one.header("authorization").map(str::to_owned)))
        .collect();
    assert_eq!(
        asked,
        [("GET /token?service=reg&scope=repository:acme/pdf:pull".to_owned(), Some(BASIC.to_owned()))]
    );
}

/// Four blobs of a long push outlive a token.
#[test]
fn a_token_that_the_registry_drops_is_fetched_anew() {
    let count = Arc::new(AtomicUsize::new(0));
    let given = Arc::clone(&count);
    let tokens = Server::start(move |_| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        Answer::new(200, json!({"access_token": format!("t{number}"), "expires_in": 300}).to_string())
    });
    let challenge = bearer(&tokens.host);
    let (current, seen) = (Arc::clone(&count), AtomicUsize::new(0));
    let server = faulty(&model(), move |request, _| {
        // A token is good for three requests.
        let now = format!("Bearer t{}", current.load(Ordering::Relaxed));
        let good = request.header("authorization") == Some(&now)
            && !(seen.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(4);
        (!good).then(|| Answer::new(401, "").with("WWW-Authenticate", &challenge))
    });
    let home = folder();
    let out = home.path().join("l");
    let reference = format!("{}/acme/pdf:1", server.host);
    let said = said(command(&["pull", &reference, out.to_str().unwrap()]).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(count.load(Ordering::Relaxed) >= 2, "one token for all");
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let tokens = Server::start(|_| Answer::new(200, json!({"access_token": "t1"}).to_string()));
    let server = guarded(&model(), "Bearer t1", bearer(&tokens.host));
    let home = home(&json!({"auths": {&server.host: {"identitytoken": "refresh & me"}}}));
    let said = tags(&server, &home, &[], &[]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "{}", said.stderr);
    let asked: Vec<(String, String)> =
        tokens.requests().into_iter().map(|one| (one.line(), String::from_utf8(one.body).unwrap())).collect();
    let form = "grant_type=refresh_token&refresh_token=refresh%20%26%20me&service=reg&scope=repository:acme/pdf:pull&client_id=kubectl-skills";
    assert_eq!(asked, [("POST /token".to_owned(), form.to_owned())]);
}

/// A token service that knows OAuth 2 alone.
#[test]
fn a_password_is_exchanged_by_post_where_get_is_not_known() {
    let tokens = Server::start(|request| match request.method.as_str() {
        "POST" => Answer::new(200, json!({"access_token": "t1"}).to_string()),
        _ => Answer::new(405, ""),
    });
    let server = guarded(&model(), "Bearer t1", bearer(&tokens.host));
    let home = home(&json!({"auths": {&server.host: {"username": "user", "password": "s3cret"}}}));
    let said = tags(&server, &home, &[], &[]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "{}", said.stderr);
}

/// Asked as nobody in the place of a refused login, a private image "does not exist", and a public one hides the mistake.
#[test]
fn a_refused_login_is_an_error_and_nobody_is_asked_instead() {
    let refuse = |request: &Request| match request.header("authorization") {
        Some(_) => {
            Answer::new(401, json!({"errors": [{"code": "DENIED", "message": "wrong password"}]}).to_string())
        }
        None => Answer::new(200, json!({"token": "anonymous"}).to_string()),
    };
    let tokens = Server::start(refuse);
    let server = guarded(&model(), "Bearer anonymous", bearer(&tokens.host));
    let home = home(&json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}}));
    let said = tags(&server, &home, &[], &[]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""));
    let file = home.path().join(".docker/config.json");
    assert_eq!(
        said.stderr,
        format!(
            "error: get a token for {0}/acme/pdf from {1}: {1} answered 401 Unauthorized: wrong password (DENIED) (as the login of \
             \"user\" from {2})\n  nothing was tried without this login: log in again with 'docker login {0}' or 'podman login {0}', \
             or remove it with 'docker logout {0}' to ask as nobody\n",
            server.host,
            tokens.host,
            file.display()
        )
    );
    assert!(tokens.requests().iter().all(|one| one.header("authorization").is_some()));

    // The same of Basic, and of a token that the registry does not take.
    let server = guarded(&model(), "never", "Basic realm=\"x\"".into());
    let said =
        tags(&server, &self::home(&json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}})), &[], &[]);
    assert_eq!(said.code, 4);
    assert!(
        said.stderr.contains(
            "answered 401 Unauthorized: authentication required (UNAUTHORIZED) (as the login of \"user\" from"
        ),
        "{}",
        said.stderr
    );
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn without_a_login_the_message_says_where_it_was_looked_for() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let home = folder();
    let said = tags(&server, &home, &[], &[("DOCKER_CONFIG", "/nonexistent/docker")]);
    assert_eq!(said.code, 4);
    assert_eq!(
        said.stderr,
        format!(
            "error: list the tags of {0}/acme/pdf: {0} wants a login, and there is none for acme/pdf\n  log in with 'docker login {0}' \
             or 'podman login {0}', or give --username and --password-stdin; looked at: /nonexistent/docker/config.json, \
             {1}/.config/containers/auth.json, {1}/.docker/config.json\n",
            server.host,
            home.path().display()
        )
    );
}

#[test]
fn a_password_comes_from_standard_input_and_counts_before_all_files() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let home = home(&json!({"auths": {&server.host: {"auth": "d3Jvbmc6d3Jvbmc="}}}));
    let reference = format!("{}/acme/pdf", server.host);
    let mut command = command(&["tags", &reference, "--username", "user", "--password-stdin"]);
    command.env("HOME", home.path()).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"s3cret\n").unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "{}", said.stderr);
}

#[test]
fn files_are_asked_in_their_order_and_by_the_longest_path() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let home = home(&json!({"auths": {&server.host: {"auth": "d3Jvbmc6d3Jvbmc="}}}));
    let file = home.path().join("auth.json");
    let acme = format!("{}/acme", server.host);
    let auths =
        json!({"auths": {&server.host: {"auth": "d3Jvbmc6d3Jvbmc="}, &acme: {"auth": "dXNlcjpzM2NyZXQ="}}});
    std::fs::write(&file, auths.to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    assert_eq!(tags(&server, &home, &[], &[("REGISTRY_AUTH_FILE", &file)]).code, 0);
    assert_eq!(tags(&server, &home, &["--registry-config", &file], &[]).code, 0);
    assert_eq!(tags(&server, &home, &[], &[]).code, 4);
    let missing = tags(&server, &home, &["--registry-config", "/nonexistent.json"], &[]);
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    std::fs::write(&file, "{\"auths\": {\"x\": \"s3cret\"").unwrap();
    let broken = tags(&server, &home, &["--registry-config", &file], &[]);
    assert_eq!((broken.code, broken.stderr.contains("s3cret")), (3, false), "{}", broken.stderr);
}

/// A folder of credential helpers by name.
fn helpers(home: &TempDir, all: &[(&str, &str)]) -> String {
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, script) in all {
        crate::executable::write(
            &bin.join(format!("docker-credential-{name}")),
            format!("#!/bin/sh\n{script}\n"),
        );
    }
    format!("{}:/usr/bin:/bin", bin.display())
}

#[test]
fn a_helper_is_asked_for_its_host_and_shows_nothing_when_it_fails() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let good = r#"host=$(cat); echo "$1 $host" >> "$HOME/asked"; echo '{"ServerURL":"x","Username":"user","Secret":"s3cret"}'"#;
    for section in ["credHelpers", "credsStore"] {
        let helper = if section == "credHelpers" { json!({&server.host: "good"}) } else { json!("good") };
        let home = home(&json!({section: helper, "auths": {&server.host: {}}}));
        let path = helpers(&home, &[("good", good)]);
        let said = tags(&server, &home, &[], &[("PATH", &path)]);
        assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "{section}: {}", said.stderr);
        let asked = std::fs::read_to_string(home.path().join("asked")).unwrap();
        assert_eq!(asked, format!("get {}\n", server.host), "{section}");
    }
    for (script, why) in [
        ("echo s3cret; exit 7", "failed (exit status: 7)"),
        ("echo s3cret", "printed no JSON"),
        ("echo '{\"Secret\": \"s3cret\"}'", "printed no Username and Secret"),
        ("cat >/dev/null; echo 'credentials not found in native keychain'; exit 1", "wants a login"),
    ] {
        let home = home(&json!({"credsStore": "bad"}));
        let path = helpers(&home, &[("bad", script)]);
        let said = tags(&server, &home, &[], &[("PATH", &path)]);
        assert!(said.code >= 3 && said.stderr.contains(why), "{script}: {}", said.stderr);
        assert!(!said.stderr.contains("s3cret"), "a secret is shown: {}", said.stderr);
    }
}

#[test]
fn a_helper_that_hangs_is_ended() {
    let server = guarded(&model(), BASIC, "Basic realm=\"x\"".into());
    let home = home(&json!({"credsStore": "hangs"}));
    let path = helpers(&home, &[("hangs", "exec sleep 300")]);
    let said = tags(&server, &home, &[], &[("PATH", &path), ("KUBECTL_SKILLS_HELPER_TIMEOUT", "1")]);
    assert_eq!(said.code, 3);
    assert!(
        said.stderr.contains("docker-credential-hangs did not answer within 1 s and was ended"),
        "{}",
        said.stderr
    );
    assert_eq!(running_in(home.path()), Vec::<String>::new(), "it still runs");
}

/// Command lines of the processes that have this home.
fn running_in(home: &std::path::Path) -> Vec<String> {
    let wanted = format!("HOME={}\0", home.display());
    let read = |process: &std::path::Path, file: &str| {
        // Gone between the list and the look, or somebody else's.
        String::from_utf8_lossy(&std::fs::read(process.join(file)).unwrap_or_default()).into_owned()
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let ours = processes.filter(|process| read(process, "environ").contains(&wanted));
    ours.map(|process| read(&process, "cmdline").replace('\0', " ")).collect()
}

/// A registry over HTTPS could otherwise have the login sent in the clear; here the challenge is of a loopback registry,
/// for which plain HTTP is right, so only the other half can be seen: an address that is none.
#[test]
fn a_realm_that_is_no_address_is_refused() {
    let server = guarded(&model(), "never", "Bearer realm=\"ftp://x/token\"".into());
    let home = home(&json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}}));
    let said = tags(&server, &home, &[], &[]);
    assert_eq!(said.code, 4);
    assert!(
        said.stderr.contains("wants the login sent to \"ftp://x/token\", which is not HTTPS"),
        "{}",
        said.stderr
    );
}
