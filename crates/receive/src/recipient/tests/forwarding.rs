//! Accounts whose mail goes on.

use super::*;

/// `forward` of an account: where its mail goes, and by which way.
fn forwarded(directory: &FakeDirectory, path: &str) -> Result<Vec<String>, RecipientRefusal> {
    let recipients = route(directory, &settings(None), path, &[]).0?.recipients;
    let told = recipients.iter().map(|recipient| {
        let via: Vec<String> = recipient.via.iter().map(ToString::to_string).collect();
        let place = match recipient.destination {
            Destination::Account(account) => account.0.to_string(),
            Destination::Remote => "away".to_owned(),
        };
        format!("{} {place} via {}", recipient.address, via.join(" "))
    });
    Ok(told.collect())
}

#[test]
fn an_account_sends_its_mail_on() {
    let away = ["bob@elsewhere.example"];
    for (keep, expect) in [
        (
            false,
            vec!["bob@elsewhere.example away via bob@example.org"],
        ),
        (
            true,
            vec![
                "bob@example.org 2 via ",
                "bob@elsewhere.example away via bob@example.org",
            ],
        ),
    ] {
        let house = house().forward("bob@example.org", &away, keep);
        assert_eq!(
            forwarded(&house, "Bob@example.org").unwrap(),
            expect,
            "{keep}"
        );
    }
    // The tag is that of the account, not of where its mail goes.
    let house = house().forward("bob@example.org", &away, false);
    let expect = ["bob@elsewhere.example away via bob@example.org"];
    assert_eq!(forwarded(&house, "bob+x@example.org").unwrap(), expect);
}

#[test]
fn forwarding_in_a_circle_stays_where_it_comes_round() {
    let two = house()
        .forward("ann@example.org", &["bob@example.org"], false)
        .forward("bob@example.org", &["ann@example.org"], false);
    let expect = ["ann@example.org 1 via ann@example.org bob@example.org"];
    assert_eq!(forwarded(&two, "ann@example.org").unwrap(), expect);
    // With a copy at each there is one copy each.
    let two = house()
        .forward("ann@example.org", &["bob@example.org"], true)
        .forward("bob@example.org", &["ann@example.org"], true);
    assert_eq!(forwarded(&two, "ann@example.org").unwrap().len(), 2);
    // An alias and an account that mean each other have no end that the alias leads to; `admin`
    // lets nobody make that.
    let circle = FakeDirectory::new(
        &["bob@example.org"],
        &[("carl@example.org", &["bob@example.org"])],
    )
    .forward("bob@example.org", &["carl@example.org"], false);
    assert_eq!(
        forwarded(&circle, "carl@example.org"),
        Err(RecipientRefusal::LeadsNowhere)
    );
    let expect = ["bob@example.org 1 via bob@example.org carl@example.org"];
    assert_eq!(forwarded(&circle, "bob@example.org").unwrap(), expect);
}
