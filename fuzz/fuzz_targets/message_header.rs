//! The header scan: any split of the input gives the same facts, and the places that it names are
//! in order, apart from each other and inside of the header section.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{
    DELIVERED_TO_MAX, HeaderFacts, HeaderScan, KEPT_VALUE_LEN_MAX, RETURN_PATH_MAX, cut,
};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, message) = input;
    let whole = facts([message].into_iter());
    assert_eq!(whole, facts(message.chunks(usize::from(size).max(1))));
    assert_eq!(whole, facts(message.chunks(1)));
    check(&whole, u64::try_from(message.len()).expect("a length"));
});

fn facts<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> HeaderFacts {
    let mut scan = HeaderScan::new();
    pieces.for_each(|piece| scan.push(piece));
    scan.finish()
}

fn check(facts: &HeaderFacts, len: u64) {
    assert!(facts.header_len <= len);
    let mut end = 0;
    for range in &facts.return_path {
        assert!(end <= range.start && range.start < range.end);
        end = range.end;
    }
    assert!(end <= facts.header_len);
    assert!(facts.return_path.len() <= RETURN_PATH_MAX);
    assert!(facts.delivered_to.len() <= DELIVERED_TO_MAX);
    // A replaced octet takes three.
    let kept = facts.delivered_to.iter().chain(&facts.message_id);
    assert!(
        kept.into_iter()
            .all(|value| value.len() <= 3 * KEPT_VALUE_LEN_MAX)
    );
    let gone: u64 = facts.return_path.iter().map(|r| r.end - r.start).sum();
    let left: u64 = cut::remaining(len, &facts.return_path)
        .iter()
        .map(|r| r.end - r.start)
        .sum();
    assert_eq!(gone + left, len);
}
