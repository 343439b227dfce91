//! Data folders of older and newer versions, met by the whole program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::server::{Server, wait_for};

/// A server on the data folder of a schema, as some version has left it.
fn on_schema(schema: u32) -> Server {
    let server = Server::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/fixtures");
    let from = fixtures.join(format!("schema-{schema}"));
    std::fs::create_dir_all(server.data().join("bodies")).unwrap();
    for name in ["postrider.db", "bodies/000001.seg"] {
        std::fs::copy(from.join(name), server.data().join(name)).unwrap();
    }
    server
}

fn backup(server: &Server, schema: u32) -> PathBuf {
    server
        .data()
        .join(format!("postrider.db.schema-{schema}.backup"))
}

#[test]
fn the_mail_of_every_version_is_read_and_delivered() {
    for schema in [1, 2, 3, 4] {
        let mut server = on_schema(schema);
        // What waits for others leaves for a port where nobody is.
        server.configure("listen = [\"127.0.0.1:0\"]\nroutes = { \"*\" = \"127.0.0.1:1\" }");
        server.start();
        let copied = backup(&server, schema).exists();
        assert_eq!(copied, schema < 4, "{}", server.log());
        let told = format!("backup={}", backup(&server, schema).display());
        assert_eq!(server.log().contains(&told), copied, "{}", server.log());

        let mail = || server.json("mail list ann@example.org")["messages"].clone();
        let both = || mail().as_array().is_some_and(|list| list.len() == 2);
        wait_for("what waited is delivered", both, || server.log());
        let first = server.run("mail show ann@example.org 1");
        assert!(first.out.contains("Subject: delivered\r\n"), "{first:?}");
        let second = server.run("mail show ann@example.org 2");
        assert!(second.out.contains("Subject: waits\r\n"), "{second:?}");
        let reply = server.send("ann@example.org", "Subject: new\r\n\r\n");
        assert!(reply.starts_with("250"), "{reply}");
        for running in [true, false] {
            for line in ["audit", "check", "check --data", "trace ann@example.org"] {
                let said = server.run(line);
                assert_eq!(said.code, 0, "{line} on {schema}: {said:?}");
            }
            let story = server.run("trace ann@example.org").out;
            assert!(story.contains("delivered"), "{story}");
            if running {
                assert_eq!(server.stop(), 0, "{}", server.log());
            }
        }
    }
}

#[test]
fn a_command_upgrades_nothing() {
    for schema in [1, 2, 3] {
        let server = on_schema(schema);
        let database = server.data().join("postrider.db");
        let before = std::fs::read(&database).unwrap();
        for line in [
            "account list",
            "queue flush",
            "trace ann@example.org",
            "audit",
            "check --data",
            "status",
        ] {
            let said = server.run(line);
            assert_eq!(said.code, 65, "{line}: {said:?}");
            let found = format!("has schema {schema}");
            for wanted in [&found, "start the server of this version"] {
                assert!(said.err.contains(wanted), "{line}: {said:?}");
            }
        }
        assert_eq!(std::fs::read(&database).unwrap(), before);
        assert!(!backup(&server, schema).exists());
        assert_eq!(server.run("check").code, 0);
    }
}

#[test]
fn the_copy_is_for_its_owner_only() {
    let mut server = on_schema(2);
    server.start();
    let copy = std::fs::metadata(backup(&server, 2)).unwrap();
    assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    assert_eq!(server.stop(), 0, "{}", server.log());
}

#[test]
fn a_newer_folder_is_refused_with_the_reason() {
    let server = on_schema(4);
    let database = server.data().join("postrider.db");
    let mut octets = std::fs::read(&database).unwrap();
    // The number of the schema stands in the header of the file.
    octets[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&database, &octets).unwrap();
    for line in ["serve", "audit"] {
        let said = server.run(line);
        assert_eq!(said.code, 65, "{line}: {said:?}");
        for wanted in ["has schema 99", "up to 4", "install that newer version"] {
            assert!(said.err.contains(wanted), "{line}: {said:?}");
        }
    }
    assert_eq!(std::fs::read(&database).unwrap(), octets);
    let names: Vec<_> = std::fs::read_dir(server.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}
