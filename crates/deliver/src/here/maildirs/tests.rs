use super::*;
use crate::testing::due;

fn add(maildirs: &mut Maildirs, path: &str, n: u32, suspect: bool) {
    let due = Due {
        suspect,
        maildir: Some(path.to_owned()),
        ..due(n)
    };
    maildirs.add(path, due);
}

fn next(maildirs: &mut Maildirs) -> Option<(u32, Pass)> {
    let (due, pass) = maildirs.next()?;
    Some((due.recipient, pass))
}

#[test]
fn one_at_a_time_into_each() {
    let mut maildirs = Maildirs::default();
    add(&mut maildirs, "/a", 1, false);
    add(&mut maildirs, "/a", 2, false);
    add(&mut maildirs, "/b", 3, false);
    let (one, a) = next(&mut maildirs).unwrap();
    let (three, _b) = next(&mut maildirs).unwrap();
    assert_eq!((one, three), (1, 3));
    assert!(next(&mut maildirs).is_none());
    drop(a);
    assert_eq!(next(&mut maildirs).unwrap().0, 2);
    assert_eq!(maildirs.waiting, 0);
}

#[test]
fn there_are_no_more_writers_than_the_limit() {
    let mut maildirs = Maildirs::default();
    let paths: Vec<String> = (0..=MAILDIRS_AT_ONCE).map(|n| format!("/{n:02}")).collect();
    for path in &paths {
        add(&mut maildirs, path, 1, false);
    }
    let passes: Vec<_> = std::iter::from_fn(|| next(&mut maildirs)).collect();
    assert_eq!(passes.len(), MAILDIRS_AT_ONCE);
    // All of them hang: what waits does not wait any longer, wherever it is to go.
    for path in &paths[..MAILDIRS_AT_ONCE - 1] {
        assert!(maildirs.overdue(path).is_empty(), "{path}");
    }
    assert!(!maildirs.is_stuck("/other"));
    assert_eq!(maildirs.overdue(&paths[MAILDIRS_AT_ONCE - 1]).len(), 1);
    assert!(maildirs.is_stuck("/other"));
    drop(passes);
    assert!(!maildirs.is_stuck("/other") && maildirs.waiting == 0);
}

#[test]
fn what_hangs_holds_up_its_own_line_only() {
    let mut maildirs = Maildirs::default();
    add(&mut maildirs, "/a", 1, false);
    add(&mut maildirs, "/a", 2, false);
    let (_, a) = next(&mut maildirs).unwrap();
    add(&mut maildirs, "/b", 3, false);
    assert_eq!(maildirs.overdue("/a").len(), 1);
    assert!(maildirs.is_stuck("/a") && !maildirs.is_stuck("/b"));
    assert_eq!(next(&mut maildirs).unwrap().0, 3);
    drop(a);
    assert!(!maildirs.is_stuck("/a"));
}

#[test]
fn suspects_go_one_by_one() {
    let mut maildirs = Maildirs::default();
    add(&mut maildirs, "/a", 1, true);
    add(&mut maildirs, "/b", 2, true);
    add(&mut maildirs, "/c", 3, false);
    let (one, first) = next(&mut maildirs).unwrap();
    assert_eq!((one, next(&mut maildirs).unwrap().0), (1, 3));
    assert!(next(&mut maildirs).is_none());
    drop(first);
    assert_eq!(next(&mut maildirs).unwrap().0, 2);
}

#[test]
fn a_line_and_all_lines_have_an_end() {
    let mut maildirs = Maildirs::default();
    for n in 0..MAILDIR_LINE_MAX {
        assert!(maildirs.has_room("/a"));
        add(&mut maildirs, "/a", u32::try_from(n).unwrap(), false);
    }
    assert!(!maildirs.has_room("/a") && maildirs.has_room("/b"));
    assert_eq!(maildirs.empty().len(), MAILDIR_LINE_MAX);
    assert!(maildirs.has_room("/a"));
}
