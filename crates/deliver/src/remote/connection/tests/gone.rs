//! A host that speaks within the body and goes, with the rest of it unread.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use net::TcpDial;

use super::*;

/// Says `words` when it has some of the body, and closes: the rest is answered with a reset.
fn play(listener: &TcpListener, words: &str) {
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    say(&stream, "220 hi");
    hear(&mut lines, 1);
    say(&stream, "250 hi");
    for reply in ["250 ok", "250 ok", "354 go on"] {
        hear(&mut lines, 1);
        say(&stream, reply);
    }
    lines.read_exact(&mut [0; 1000]).unwrap();
    if !words.is_empty() {
        say(&stream, words);
    }
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
}

fn hear(lines: &mut impl BufRead, count: usize) {
    for _ in 0..count {
        lines.read_line(&mut String::new()).unwrap();
    }
}

async fn answer(words: &'static str, len: usize) -> RecipientAnswer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let host = std::thread::spawn(move || play(&listener, words));
    let clock = Clock::system();
    let dial = TcpDial::new(clock.clone());
    let mut connection = opened(&dial, &clock, address).await;
    let job = Job::new(due(0), "test".to_owned());
    connection.machine.send(job.mail(), clock.now());
    assert!(matches!(
        connection.progress(&job).await,
        Progress::WantsBody
    ));
    for _ in 0..len.div_ceil(PIECE) {
        let piece = LINE.repeat(len.min(PIECE) / LINE.len());
        connection.send_piece(piece.as_bytes()).await;
    }
    connection.end_body();
    let Progress::Finished(mut answers) = connection.progress(&job).await else {
        panic!("it wanted one body");
    };
    connection.quit().await;
    host.join().unwrap();
    answers.remove(0)
}

#[tokio::test]
async fn the_last_words_of_a_host_are_heard() {
    for (words, stage) in [
        ("552 5.3.4 too big", Stage::Body),
        ("421 4.7.1 bye", Stage::Body),
        ("554-5.7.1 no\r\n554 5.7.1 never", Stage::Body),
    ] {
        for len in [300 * 1024, 40 * PIECE] {
            let reply = words.parse().unwrap();
            let wanted = RecipientAnswer::Refused { stage, reply };
            assert_eq!(answer(words, len).await, wanted, "{len} octets");
        }
    }
}

#[tokio::test]
async fn without_words_it_is_the_network() {
    let lost = answer("", 40 * PIECE).await;
    let RecipientAnswer::Lost {
        stage: Stage::Body,
        why: Lost::Error(_) | Lost::Closed,
        dot_sent: false,
    } = lost
    else {
        panic!("{lost:?}");
    };
}
