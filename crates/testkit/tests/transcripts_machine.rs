//! Every golden transcript, run against the SMTP server machine.

use std::path::Path;

use testkit::transcript;

#[test]
fn every_transcript_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "smtp") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let result = transcript::parse(&text)
            .map_err(|e| e.to_string())
            .and_then(|lines| transcript::Machine::run(&lines));
        if let Err(what) = result {
            wrong.push(format!("{}: {what}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 25, "only {count} transcripts found");
}
