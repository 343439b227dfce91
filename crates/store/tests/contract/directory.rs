//! Cases of accounts and aliases.

use store::{AccountDelivery, Alias, DirectoryError, Listing, Store};

use crate::Backend;
use crate::kit::*;

fn alias(from: &str, to: &[&str]) -> Alias {
    Alias {
        address: address(from),
        targets: to.iter().map(|text| address(text)).collect(),
    }
}

pub(crate) async fn accounts_and_aliases_share_one_name_space(backend: impl Backend) {
    let store = backend.store();
    account(&store, "ann@example.org").await;
    let again = store.add_account(&address("ANN@example.org"), "x").await;
    assert_eq!(
        again,
        Err(DirectoryError::AccountExists("ann@example.org".to_owned()))
    );
    let taken = store
        .set_alias(alias("ann@example.org", &["bob@example.org"]))
        .await;
    assert_eq!(
        taken,
        Err(DirectoryError::AccountExists("ann@example.org".to_owned()))
    );
    store
        .set_alias(alias(
            "all@example.org",
            &["ann@example.org", "x@far.example"],
        ))
        .await
        .unwrap();
    let taken = store.add_account(&address("all@example.org"), "x").await;
    assert_eq!(
        taken,
        Err(DirectoryError::AliasExists("all@example.org".to_owned()))
    );
    let gone = store.remove_account(&address("no@example.org")).await;
    assert_eq!(
        gone,
        Err(DirectoryError::NoSuchAccount("no@example.org".to_owned()))
    );
    let gone = store.remove_alias(&address("no@example.org")).await;
    assert_eq!(
        gone,
        Err(DirectoryError::NoSuchAlias("no@example.org".to_owned()))
    );
    let gone = store.set_password(&address("no@example.org"), "x").await;
    assert_eq!(
        gone,
        Err(DirectoryError::NoSuchAccount("no@example.org".to_owned()))
    );
}

pub(crate) async fn lookups_see_every_change_and_fold_case(backend: impl Backend) {
    let store = backend.store();
    let ann = address("Ann@example.org");
    assert_eq!(store.lookup(&ann).await, Ok(None));
    let id = account(&store, "ann@example.org").await;
    assert_eq!(store.lookup(&ann).await, Ok(Some(Listing::Account(id))));
    store.remove_account(&ann).await.unwrap();
    assert_eq!(store.lookup(&ann).await, Ok(None));
    store
        .set_alias(alias("ann@example.org", &["x@far.example"]))
        .await
        .unwrap();
    let targets = vec![address("x@far.example")];
    assert_eq!(store.lookup(&ann).await, Ok(Some(Listing::Alias(targets))));
    store.remove_alias(&ann).await.unwrap();
    assert_eq!(store.lookup(&ann).await, Ok(None));
}

pub(crate) async fn an_account_with_an_alias_is_not_removed(backend: impl Backend) {
    let store = backend.store();
    account(&store, "ann@example.org").await;
    store
        .set_alias(alias("all@example.org", &["Ann@example.org"]))
        .await
        .unwrap();
    let kept = store.remove_account(&address("ann@example.org")).await;
    assert_eq!(
        kept,
        Err(DirectoryError::AliasLeadsHere("all@example.org".to_owned()))
    );
    store
        .set_alias(alias("both@example.org", &["All@example.org"]))
        .await
        .unwrap();
    let kept = store.remove_alias(&address("all@example.org")).await;
    assert_eq!(
        kept,
        Err(DirectoryError::AliasLeadsHere(
            "both@example.org".to_owned()
        ))
    );
    store
        .remove_alias(&address("both@example.org"))
        .await
        .unwrap();
    store
        .remove_alias(&address("all@example.org"))
        .await
        .unwrap();
    store
        .remove_account(&address("ann@example.org"))
        .await
        .unwrap();
}

pub(crate) async fn the_oldest_account_is_first(backend: impl Backend) {
    let store = backend.store();
    assert_eq!(store.first_account().await, Ok(None));
    for name in ["zoe@example.org", "ann@example.org", "bob@example.org"] {
        account(&store, name).await;
    }
    let first = store.first_account().await.unwrap().unwrap();
    assert_eq!(first.address, address("zoe@example.org"));
    let page = store.accounts(None, 2).await.unwrap();
    assert_eq!(page[1].address, address("bob@example.org"));
    let rest = store.accounts(Some(&page[1].address), 2).await.unwrap();
    assert_eq!(rest[0].address, address("zoe@example.org"));
    assert_eq!(format!("{:?}", rest[0].password), "***");
    store
        .set_alias(alias("all@example.org", &["ann@example.org"]))
        .await
        .unwrap();
    assert_eq!(store.aliases(None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn an_account_says_where_its_mail_goes(backend: impl Backend) {
    let store = backend.store();
    let ann = address("ann@example.org");
    let id = store.add_account(&ann, "*").await.unwrap();
    assert_eq!(
        store.lookup(&ann).await.unwrap(),
        Some(Listing::Account(id))
    );
    let delivery = AccountDelivery {
        maildir: Some("/srv/ann".to_owned()),
        forward: vec![address("ann@far.example")],
        keep: true,
    };
    store.set_delivery(&ann, delivery.clone()).await.unwrap();
    let listing = Listing::Forward {
        account: id,
        to: delivery.forward.clone(),
        keep: true,
    };
    assert_eq!(store.lookup(&ann).await.unwrap(), Some(listing));
    let accounts = store.accounts(None, 10).await.unwrap();
    assert_eq!(accounts[0].delivery, delivery);
    let nobody = store
        .set_delivery(&address("x@example.org"), delivery)
        .await;
    assert!(matches!(nobody, Err(DirectoryError::NoSuchAccount(_))));
}
