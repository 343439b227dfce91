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
        check(
            "account add Ann@example.org",
            "correct horse\n",
            0,
            "ann@example.org added",
        );
        check(
            "account add ann@example.org",
            "correct horse\n",
            65,
            "is an account already",
        );
        check(
            "account add bob@example.org",
            "short\n",
            65,
            "shorter than 8",
        );
        check("account add bob@example.org", "", 64, "no password");
        check(
            "account add bob@example.net",
            "correct horse\n",
            78,
            "`domains`",
        );
        check("account add nonsense", "correct horse\n", 65, "no @");
        check(
            "account add bob@example.org --generate",
            "",
            0,
            "password: ",
        );
        check(
            "account passwd bob@example.org",
            "another horse\n",
            0,
            "changed",
        );
        check(
            "account passwd eve@example.org",
            "another horse\n",
            67,
            "eve@example.org",
        );
        check(
            "alias add sales@example.org ann@example.org",
            "",
            0,
            "stands for",
        );
        check(
            "alias add help@example.org sales@example.org eve@example.net",
            "",
            0,
            "stands for",
        );
        check(
            "alias add sales@example.org help@example.org",
            "",
            65,
            "lead back",
        );
        check(
            "alias add x@example.org nobody@example.org",
            "",
            67,
            "add it first",
        );
        check(
            "account remove ann@example.org",
            "",
            65,
            "sales@example.org",
        );
        check("alias remove nobody@example.org", "", 67, "no alias");
        check("account list", "", 0, "bob@example.org");
        check("alias list", "", 0, "sales@example.org, eve@example.net");
        check("account remove bob@example.org", "", 0, "removed");
        check("mail list ann@example.org", "", 0, "no messages");
        check("mail show ann@example.org 1", "", 1, "no message 1");
        check("trace ann@example.org", "", 1, "no message");
        check("trace 01JD5M0F7QK2Z", "", 1, "01JD5M0F7QK2Z");
        check("trace hello", "", 65, "no queue id");
        check("queue hold 01JD5M0F7QK2Z", "", 1, "no such item");
        check("queue list", "", 0, "empty");
        check("audit", "", 0, "nothing is missing");
        check("check", "", 0, "is right");
        check("check --data", "", 0, "whole");
        let accounts = server.json("account list");
        assert_eq!(accounts["accounts"][0]["address"], "ann@example.org");
    }
}
