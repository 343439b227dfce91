use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::remote::addresses::Addresses;
use crate::testing::due;

mod gone;

/// A piece as the store gives them, and the lines that it is made of.
const PIECE: usize = 256 * 1024;
const LINE: &str = "sixteen octets\r\n";
/// Octets that the host takes at a time.
const SIP: usize = 4096;

/// Connects to a host that the test plays.
#[derive(Clone)]
struct Only(Arc<Mutex<Option<DuplexStream>>>);

impl Dial for Only {
    type Stream = DuplexStream;

    async fn dial(&self, _: SocketAddr, _: Timestamp) -> Result<DuplexStream, net::DialError> {
        Ok(self.0.lock().unwrap().take().unwrap())
    }
}

/// A host that takes a body in sips.
#[derive(Clone, Copy)]
struct SlowHost {
    /// What each of them takes.
    pause: Duration,
    /// So many are taken, and no more.
    sips: usize,
    /// Between the dot and the reply.
    thinks: Duration,
}

impl SlowHost {
    /// Octets of the body that it was given.
    async fn play(self, mut stream: DuplexStream, clock: Clock) -> usize {
        say(&mut stream, "220 hi").await;
        hear(&mut stream, 1).await;
        say(&mut stream, "250-hi\r\n250 PIPELINING").await;
        hear(&mut stream, 3).await;
        say(&mut stream, "250 ok\r\n250 ok\r\n354 go on").await;
        let mut body = Vec::new();
        for _ in 0..self.sips {
            let mut sip = vec![0; SIP];
            let len = stream.read(&mut sip).await.unwrap();
            body.extend_from_slice(&sip[..len]);
            if len == 0 {
                return body.len();
            }
            clock.advance(self.pause);
            if body.ends_with(b"\r\n.\r\n") {
                break;
            }
        }
        clock.advance(self.thinks);
        // Whoever has lost patience goes now.
        tokio::task::yield_now().await;
        if body.ends_with(b"\r\n.\r\n") {
            say(&mut stream, "250 taken").await;
        }
        hear(&mut stream, 1).await;
        body.len()
    }
}

async fn say(stream: &mut DuplexStream, text: &str) {
    let line = format!("{text}\r\n");
    // Whoever has gone hears nothing.
    let _ = stream.write_all(line.as_bytes()).await;
}

async fn hear(stream: &mut DuplexStream, lines: usize) {
    let mut left = lines;
    while left > 0 {
        match stream.read_u8().await {
            Ok(b'\n') => left -= 1,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

async fn opened<D: Dial>(dial: &D, clock: &Clock, address: SocketAddr) -> Connection<D::Stream> {
    let hop = crate::NextHop::address(address.ip());
    let permit = Addresses::new(1).take(address.ip(), &hop).unwrap();
    let mut trail = Trail::default();
    let opened = Connection::open(
        dial,
        clock,
        Arc::default(),
        "mx.example.net".to_owned(),
        (address, permit),
        clock.now() + Duration::from_secs(10),
        &mut trail,
    );
    opened.await.ok().unwrap()
}

/// Sends a body of so many pieces; the answer, and the octets that the host was given.
async fn sent(host: SlowHost, pieces: &[usize]) -> (RecipientAnswer, usize) {
    let clock = Clock::manual(Timestamp::EPOCH);
    let (ours, theirs) = tokio::io::duplex(SIP);
    let host = tokio::spawn(host.play(theirs, clock.clone()));
    let dial = Only(Arc::new(Mutex::new(Some(ours))));
    let mut connection = opened(&dial, &clock, "192.0.2.1:25".parse().unwrap()).await;
    let job = Job::new(due(0), "test".to_owned());
    connection.machine.send(job.mail(), clock.now());
    assert!(matches!(
        connection.progress(&job).await,
        Progress::WantsBody
    ));
    for len in pieces {
        connection
            .send_piece(LINE.repeat(len / LINE.len()).as_bytes())
            .await;
        let gathered = connection.machine.gathered();
        assert!(
            gathered < CLIENT_WRITE_LEN + PIECE,
            "{gathered} octets wait"
        );
    }
    connection.end_body();
    let Progress::Finished(mut answers) = connection.progress(&job).await else {
        panic!("it wanted one body");
    };
    connection.quit().await;
    (answers.remove(0), host.await.unwrap())
}

#[tokio::test]
async fn a_long_message_to_a_slow_host_waits_in_the_store_and_not_in_memory() {
    // Three hours in all. What goes out last is less than a block and takes most of a minute.
    let host = SlowHost {
        pause: Duration::from_secs(10),
        sips: usize::MAX,
        thinks: Duration::from_secs(9 * 60 + 35),
    };
    let pieces = [[PIECE; 16].as_slice(), &[63 * 1024]].concat();
    let (answer, len) = sent(host, &pieces).await;
    assert!(matches!(answer, RecipientAnswer::Accepted(_)), "{answer:?}");
    assert_eq!(len, pieces.iter().sum::<usize>() + ".\r\n".len());
}

#[tokio::test]
async fn a_trickle_uses_up_the_time_of_a_block() {
    let host = SlowHost {
        pause: Duration::from_mins(1),
        sips: usize::MAX,
        thinks: Duration::ZERO,
    };
    check_stuck(&sent(host, &[PIECE; 4]).await.0);
}

/// Nobody can have taken it, so another host may be asked.
#[tokio::test]
async fn a_dot_that_does_not_go_out_was_not_sent() {
    let host = SlowHost {
        pause: Duration::ZERO,
        sips: 1,
        thinks: Duration::from_mins(3),
    };
    check_stuck(&sent(host, &[32 * 1024]).await.0);
}

fn check_stuck(answer: &RecipientAnswer) {
    let wanted = RecipientAnswer::Lost {
        stage: Stage::Body,
        why: Lost::Timeout(Duration::from_mins(3)),
        dot_sent: false,
    };
    assert_eq!(*answer, wanted);
}
