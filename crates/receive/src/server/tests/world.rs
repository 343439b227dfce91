//! A receiver on loopback with a real store, and a client that talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mailtypes::{Domain, ItemId, Mailbox, Timestamp};
use net::{Acceptor, Clock, Gate, Limits, listen};
use proto::smtp;
use store::{Embedded, ItemView, Options, Selection, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::{Metrics, Phase, Receiver, Settings};

/// A receiver on loopback. The clock stands still but for the test.
pub(super) struct World {
    _folder: tempfile::TempDir,
    pub(super) store: Embedded,
    pub(super) clock: Clock,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) wake: Arc<Notify>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) addr: SocketAddr,
    pub(super) task: JoinHandle<()>,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(
            Limits {
                total: 100,
                per_address: 100,
            },
            smtp::Settings::default(),
        )
        .await
    }

    pub(super) async fn with(limits: Limits, smtp: smtp::Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let store = open(folder.path(), &clock);
        store
            .add_account(&mailbox("ann@example.org"), "*")
            .await
            .unwrap();
        store
            .add_account(&mailbox("bob@example.org"), "*")
            .await
            .unwrap();
        let settings = Arc::new(ArcSwap::from_pointee(Settings {
            hostname: "mx.example.org".to_owned(),
            domains: vec![Domain::parse("example.org").unwrap()],
            postmaster: None,
            relay_networks: Vec::new(),
            smtp: Arc::new(smtp::Settings {
                hostname: "mx.example.org".to_owned(),
                ..smtp
            }),
        }));
        let wake: Arc<Notify> = Arc::default();
        let receiver = Receiver::new(
            store.clone(),
            clock.clone(),
            Arc::clone(&settings),
            Gate::new(limits),
            Arc::clone(&wake),
            Metrics::default(),
        );
        let acceptor =
            Acceptor::new(listen::bind("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
        let addr = acceptor.local_addr().unwrap();
        let (phase, phases) = watch::channel(Phase::Serve);
        let task = tokio::spawn(async move { receiver.serve(acceptor, phases).await });
        Self {
            _folder: folder,
            store,
            clock,
            settings,
            wake,
            phase,
            addr,
            task,
        }
    }

    /// Runs a client beside the server.
    pub(super) async fn client<T: Send + 'static>(
        &self,
        script: impl FnOnce(&mut Client) -> T + Send + 'static,
    ) -> T {
        let addr = self.addr;
        let work = tokio::task::spawn_blocking(move || script(&mut Client::connect(addr)));
        tokio::time::timeout(Duration::from_secs(20), work)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn story(&self, id: ItemId) -> ItemView {
        self.store.story(id).await.unwrap().unwrap()
    }

    pub(super) async fn queue_len(&self) -> usize {
        self.store
            .queue(&Selection::default(), None, 100)
            .await
            .unwrap()
            .len()
    }
}

fn open(folder: &Path, clock: &Clock) -> Embedded {
    let clock = clock.clone();
    let options = Options {
        seed: Some(1),
        ..Options::new(Arc::new(move || clock.now()))
    };
    Embedded::open(folder, options).unwrap()
}

pub(super) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

pub(super) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects and reads the first reply.
    pub(super) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The last line of the next reply.
    pub(super) fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.0.read_line(&mut line).unwrap() > 0,
                "the server closed"
            );
            if line.as_bytes()[3] == b' ' {
                return line.trim_end().to_owned();
            }
        }
    }

    pub(super) fn expect(&mut self, start: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(start), "{reply} instead of {start}");
        reply
    }

    pub(super) fn ask(&mut self, line: &str, start: &str) -> String {
        self.send(&format!("{line}\r\n"));
        self.expect(start)
    }

    pub(super) fn hello(&mut self) {
        self.expect("220 mx.example.org ");
        self.ask("EHLO client.example.net", "250 ");
    }

    /// From MAIL to the dot; answers the queue id.
    pub(super) fn letter(&mut self, to: &[&str], text: &str) -> ItemId {
        self.ask("MAIL FROM:<eve@example.net>", "250 2.1.0");
        for to in to {
            self.ask(&format!("RCPT TO:<{to}>"), "250 2.1.5");
        }
        self.ask("DATA", "354");
        let reply = self.ask(&format!("{text}\r\n."), "250 2.0.0 Ok: queued as ");
        ItemId::parse(reply.rsplit(' ').next().unwrap()).unwrap()
    }

    /// Whether the server has closed.
    pub(super) fn at_end(&mut self) -> bool {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest.is_empty()
    }
}
