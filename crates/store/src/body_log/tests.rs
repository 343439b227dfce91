use super::segment::ROOM_AHEAD;
use super::*;
use crate::disk::double::{Fault, MemoryDisk};
use crate::limits::SEGMENT_LEN_MAX;

fn log(disk: &MemoryDisk) -> BodyLog {
    BodyLog::new(
        Arc::new(disk.clone()),
        Numbers::starting_at(1, 0),
        None,
        SEGMENT_LEN_MAX,
    )
}

fn append(log: &mut BodyLog, text: &str) -> Result<Place, AppendError> {
    let crc = crc32c::crc32c(text.as_bytes());
    log.append(&[Record {
        id: 7,
        octets: text.as_bytes(),
        crc,
    }])
    .map(|places| places[0])
}

fn read(disk: &MemoryDisk, place: Place) -> String {
    let mut octets = vec![0; usize::try_from(place.length).unwrap()];
    let file = disk.open(&segment_name(place.segment)).unwrap();
    file.read_exact_at(&mut octets, place.at).unwrap();
    String::from_utf8(octets).unwrap()
}

#[test]
fn what_was_appended_survives_a_power_cut() {
    let disk = MemoryDisk::default();
    let mut log = log(&disk);
    let first = append(&mut log, "first").unwrap();
    let second = append(&mut log, "second").unwrap();
    disk.cut_power();
    assert_eq!(read(&disk, first), "first");
    assert_eq!(read(&disk, second), "second");
}

#[test]
fn a_failed_write_costs_nothing_and_the_next_succeeds() {
    for fault in [Fault::Write(28), Fault::ShortWrite, Fault::Write(5)] {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        let first = append(&mut log, "first").unwrap();
        disk.inject(fault);
        assert!(
            matches!(append(&mut log, "lost"), Err(AppendError::Write(_))),
            "{fault:?}"
        );
        let second = append(&mut log, "second").unwrap();
        assert_eq!(
            (read(&disk, first), read(&disk, second)),
            ("first".into(), "second".into())
        );
        assert_eq!(first.segment, second.segment);
    }
}

#[test]
fn a_failed_sync_is_never_tried_again_on_the_same_file() {
    let disk = MemoryDisk::default();
    let mut log = log(&disk);
    let first = append(&mut log, "first").unwrap();
    disk.inject(Fault::Sync(5));
    let failed = append(&mut log, "lost");
    assert!(matches!(failed, Err(AppendError::Sync { segment, .. }) if segment == first.segment));
    let second = append(&mut log, "second").unwrap();
    assert_ne!(first.segment, second.segment);
    disk.cut_power();
    assert_eq!(
        (read(&disk, first), read(&disk, second)),
        ("first".into(), "second".into())
    );
}

#[test]
fn a_segment_that_could_not_be_made_leaves_nothing() {
    for fault in [
        Fault::Create(28),
        Fault::SyncFolder(5),
        Fault::Write(28),
        Fault::Sync(5),
    ] {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        disk.inject(fault);
        assert!(
            matches!(append(&mut log, "x"), Err(AppendError::Write(_))),
            "{fault:?}"
        );
        assert_eq!(disk.list().unwrap(), Vec::<String>::new(), "{fault:?}");
        append(&mut log, "y").unwrap();
    }
}

#[test]
fn room_is_taken_ahead_and_what_is_left_of_it_given_back() {
    let disk = MemoryDisk::default();
    let mut log = log(&disk);
    let len = |segment| {
        let file = disk.open(&segment_name(segment)).unwrap();
        file.length().unwrap()
    };
    let first = append(&mut log, "first").unwrap();
    assert_eq!(len(1), first.end() + ROOM_AHEAD);
    let second = append(&mut log, "second").unwrap();
    assert_eq!(len(1), first.end() + ROOM_AHEAD);
    log.turn_over().unwrap();
    assert_eq!(len(1), second.end());
    disk.cut_power();
    assert_eq!(read(&disk, second), "second");
}

#[test]
fn where_there_is_no_room_ahead_it_goes_on_without() {
    let disk = MemoryDisk::default();
    let mut log = log(&disk);
    log.turn_over().unwrap();
    disk.inject(Fault::Reserve(95));
    let first = append(&mut log, "first").unwrap();
    let second = append(&mut log, "second").unwrap();
    disk.cut_power();
    for (place, text) in [(first, "first"), (second, "second")] {
        assert_eq!(read(&disk, place), text);
    }
    let file = disk.open(&segment_name(1)).unwrap();
    assert_eq!(file.length().unwrap(), second.end());
}

#[test]
fn names_and_numbers_belong_together() {
    assert_eq!(segment_name(1), "000001.seg");
    assert_eq!(segment_number("000001.seg"), Some(1));
    for name in ["1.seg", "000001", "x.seg", "draft-1", "0000001.seg"] {
        assert_eq!(segment_number(name), None, "{name}");
    }
    assert_eq!(segment_number("1000000.seg"), Some(1_000_000));
}
