//! Accounts and aliases, on the files and by the socket: the same answers.

use crate::server::Server;

#[test]
fn accounts_on_files_and_by_socket() {
    for running in [false, true] {
        let mut server = Server::new();
        // Without a server the first account makes the data folder.
        if running {
            server.start();
        }
        let check = |line: &str, input: &str, code: i32, wanted: &str| {
            let said = server.run_with(line, input);
            let all = format!("{}{}", said.out, said.err);
            assert_eq!(said.code, code, "running {running}: {line}: {said:?}");
            assert!(all.contains(wanted), "{line}: no `{wanted}` in {all}");
        };
        for (line, input, code, wanted) in CASES {
            check(line, input, *code, wanted);
        }
        let accounts = server.json("account list");
        assert_eq!(accounts["accounts"][0]["address"], "ann@example.org");
    }
}

/// Command, standard input, exit code, and what the answer says; in this order.
const CASES: &[(&str, &str, i32, &str)] = &[
    (
        "account add Ann@example.org",
        "correct horse\n",
        0,
        "ann@example.org added",
    ),
    (
        "account add ann@example.org",
        "correct horse\n",
        65,
        "is an account already",
    ),
    (
        "account add bob@example.org",
        "short\n",
        65,
        "shorter than 8",
    ),
    ("account add bob@example.org", "", 64, "no password"),
    (
        "account add bob@example.net",
        "correct horse\n",
        78,
        "`domains`",
    ),
    ("account add nonsense", "correct horse\n", 65, "no @"),
    (
        "account add bob@example.org --generate",
        "",
        0,
        "password: ",
    ),
    (
        "account passwd bob@example.org",
        "another horse\n",
        0,
        "changed",
    ),
    (
        "account passwd eve@example.org",
        "another horse\n",
        67,
        "eve@example.org",
    ),
    (
        "alias add sales@example.org ann@example.org",
        "",
        0,
        "stands for",
    ),
    (
        "alias add help@example.org sales@example.org eve@example.net",
        "",
        0,
        "stands for",
    ),
    (
        "alias add sales@example.org help@example.org",
        "",
        65,
        "lead back",
    ),
    (
        "alias add x@example.org nobody@example.org",
        "",
        67,
        "add it first",
    ),
    (
        "account remove ann@example.org",
        "",
        65,
        "sales@example.org",
    ),
    ("alias remove nobody@example.org", "", 67, "no alias"),
    (
        "alias add hostmaster@example.org Postmaster@example.org",
        "",
        0,
        "stands for",
    ),
    ("alias remove hostmaster@example.org", "", 0, "removed"),
    ("account list", "", 0, "bob@example.org"),
    ("alias list", "", 0, "sales@example.org, eve@example.net"),
    ("account remove bob@example.org", "", 0, "removed"),
    ("mail list ann@example.org", "", 0, "no messages"),
    ("mail show ann@example.org 1", "", 1, "no message 1"),
    ("trace ann@example.org", "", 1, "no message"),
    ("trace 01JD5M0F7QK2Z", "", 1, "01JD5M0F7QK2Z"),
    ("trace hello", "", 65, "no queue id"),
    ("queue hold 01JD5M0F7QK2Z", "", 1, "no such item"),
    ("queue list", "", 0, "empty"),
    ("audit", "", 0, "nothing is missing"),
    ("check", "", 0, "is right"),
    ("check --data", "", 0, "whole"),
];
