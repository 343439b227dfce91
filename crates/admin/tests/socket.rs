//! The control socket over a real store.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::client::Client;
use admin::socket::{ControlSocket, NAME};
use admin::{Answer, House, Kind, Request, password};
use mailtypes::{Domain, Secret, Timestamp};
use store::{Embedded, Options};

/// A socket that answers while `asks` runs on a thread of its own.
async fn with_socket(asks: impl FnOnce(PathBuf) + Send + 'static) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(Arc::new(|| Timestamp::from_millis(1_795_468_687_042)));
    let store = Embedded::open(folder.path(), options).unwrap();
    let data = folder.path().to_owned();
    let house = move || House {
        data: data.clone(),
        domains: Some(vec![Domain::parse("example.org").unwrap()]),
        uptime: None,
        stopping: false,
        version: "0",
        now: Timestamp::from_millis(1_795_468_687_042),
        delivery: None,
        addressing: None,
    };
    let socket = ControlSocket::bind(folder.path()).unwrap();
    let serving = {
        let store = store.clone();
        tokio::spawn(async move { socket.serve(store, house).await })
    };
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || asks(path))
        .await
        .unwrap();
    serving.abort();
    store.close();
}

fn ask(folder: &Path, request: Request) -> Result<Answer, admin::Refusal> {
    Client::connect(folder)
        .unwrap()
        .unwrap()
        .ask(request)
        .unwrap()
}

#[tokio::test]
async fn requests_are_answered_and_the_password_is_kept_as_a_hash() {
    with_socket(|folder| {
        let hash = password::hash(&Secret::new("correct horse".into()), &mut rand::rng()).unwrap();
        let add = |address: &str, hash: &str| {
            let request = Request::AccountAdd {
                address: address.to_owned(),
                password_hash: hash.to_owned().into(),
            };
            ask(&folder, request)
        };
        assert!(matches!(add("ann@example.org", &hash), Ok(Answer::Done(_))));
        let refused = |result: Result<Answer, admin::Refusal>| result.unwrap_err().kind;
        assert_eq!(refused(add("ann@example.org", &hash)), Kind::Data);
        assert_eq!(refused(add("bob@example.org", "correct horse")), Kind::Data);
        assert_eq!(refused(add("bob@example.net", &hash)), Kind::Config);
        let list = Request::AccountList {
            after: None,
            limit: 1,
        };
        let Ok(Answer::Accounts(view)) = ask(&folder, list) else {
            panic!("no accounts");
        };
        assert_eq!(view.accounts[0].address, "ann@example.org");
        assert_eq!(view.accounts[0].created, "2026-11-23T21:18:07.042Z");
        assert_eq!(view.next.as_deref(), Some("ann@example.org"));
    })
    .await;
}

#[tokio::test]
async fn nonsense_is_refused_and_long_lines_end_it() {
    with_socket(|folder| {
        let path = folder.join(NAME);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let said = |octets: &[u8]| {
            let mut stream = UnixStream::connect(&path).unwrap();
            // The server may close before it has taken all.
            let _ = stream.write_all(octets);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        assert!(said(b"hello\n").contains("does not understand"));
        let newer = br#"{"version":99,"request":{"ask":"audit"}}"#;
        assert!(said(&[newer.as_slice(), b"\n"].concat()).contains("differ in version"));
        assert!(said(br#"{"version":2,"request":{"ask":"audit"}}"#).is_empty());
        assert!(said(&vec![b' '; 100_000]).is_empty());
        let two = "{\"version\":2,\"request\":{\"ask\":\"audit\"}}\n".repeat(2);
        assert_eq!(said(two.as_bytes()).lines().count(), 2);
    })
    .await;
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_client() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Client::connect(folder.path()).unwrap().is_none());
    assert!(
        Client::connect(&folder.path().join("missing"))
            .unwrap()
            .is_none()
    );
    // A dead server leaves the file of its socket.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join(NAME)).unwrap());
    assert!(Client::connect(folder.path()).unwrap().is_none());
}

#[tokio::test]
async fn long_paths_fit() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let _socket = ControlSocket::bind(&deep).unwrap();
    assert!(Client::connect(&deep).unwrap().is_some());
}
