//! Values and worlds for the tests of this crate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use mailtypes::{Domain, Envelope, ForwardPath, ItemId, Mailbox, Protocol, ReversePath, Timestamp};
use net::dns::MapDns;
use net::{Clock, Dial, DialError};
use store::{
    AccountId, Addressing, Destination, Due, Embedded, Facts, ItemView, Lane, NewItem,
    NewRecipient, NotAddressed, Options, Origin, RecipientState, Shape, Store,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{Notify, watch};

use crate::{Deliverer, Limits, Own, Routes, Schedule, Settings};

/// Recipient `n` of one message, on its first attempt.
pub(crate) fn due(n: u32) -> Due {
    Due {
        item: ItemId::generate(Timestamp::EPOCH, 1),
        recipient: n,
        due: Timestamp::EPOCH,
        lane: Lane::Fresh,
        address: mailbox("ann@example.org"),
        destination: Destination::Remote,
        envelope: Envelope::from(ReversePath::Null),
        size: 1,
        attempts: 0,
        accepted: Timestamp::EPOCH,
        owed: false,
        told: false,
        suspect: false,
        strikes: 0,
        sent_on_by: None,
        maildir: None,
        has_8bit: false,
        longest_line: 1,
    }
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// What a host of the network does with a connection: a line of its script each.
///
/// `S text` says it; `C` waits for a line; `BODY` reads up to the final dot and keeps the body;
/// `CUT` closes; `STALL` says nothing any more; `GRIEF` makes whoever connects panic; with `NO PORT`
/// this machine cannot connect, with `SILENCE` nobody answers.
pub(crate) type Script = &'static [&'static str];

/// A host that takes what it is given.
pub(crate) const TAKES: Script = &["S 220 hi", "C", "S 250-hi\r\n250 PIPELINING", "LOOP"];

/// Hosts of a small network, and the bodies that they have been given.
#[derive(Clone, Default)]
pub(crate) struct Hosts {
    scripts: Arc<Mutex<HashMap<SocketAddr, Script>>>,
    pub(crate) bodies: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) dialed: Arc<Mutex<Vec<String>>>,
    /// Connections that are served now, and the most there were at once.
    served: Arc<Mutex<(usize, usize)>>,
}

impl Hosts {
    pub(crate) fn set(&self, address: &str, script: Script) {
        let address = address.parse().unwrap();
        self.scripts.lock().unwrap().insert(address, script);
    }

    pub(crate) fn dialed(&self) -> Vec<String> {
        std::mem::take(&mut *self.dialed.lock().unwrap())
    }

    /// The most connections at a time, to all hosts.
    pub(crate) fn most_at_once(&self) -> usize {
        self.served.lock().unwrap().1
    }

    async fn serve(self, stream: DuplexStream, script: Script) {
        {
            let mut served = self.served.lock().unwrap();
            served.0 += 1;
            served.1 = served.1.max(served.0);
        }
        self.play(stream, script).await;
        self.served.lock().unwrap().0 -= 1;
    }

    async fn play(&self, stream: DuplexStream, script: Script) {
        let mut stream = BufReader::new(stream);
        for step in script {
            let goes_on = match step.split_once(' ') {
                Some(("S", text)) => say(&mut stream, text).await,
                _ if *step == "C" => read_line(&mut stream).await.is_some(),
                _ if *step == "BODY" => self.body(&mut stream).await,
                _ if *step == "LOOP" => return self.take_all(stream).await,
                _ if *step == "STALL" => std::future::pending().await,
                _ => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Says yes to everything.
    async fn take_all(&self, mut stream: BufReader<DuplexStream>) {
        while let Some(line) = read_line(&mut stream).await {
            let goes_on = match line.as_str() {
                "DATA" => {
                    say(&mut stream, "354 go on").await
                        && self.body(&mut stream).await
                        && say(&mut stream, "250 taken").await
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await;
                    false
                }
                line if line.contains("nobody") => say(&mut stream, "550 5.1.1 nobody").await,
                line if line.contains("later") => say(&mut stream, "450 4.2.1 later").await,
                _ => say(&mut stream, "250 ok").await,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn body(&self, stream: &mut BufReader<DuplexStream>) -> bool {
        let mut body = String::new();
        while let Some(line) = read_line(stream).await {
            if line == "." {
                self.bodies.lock().unwrap().push((String::new(), body));
                return true;
            }
            body.push_str(&line);
            body.push('\n');
        }
        false
    }
}

async fn say(stream: &mut BufReader<DuplexStream>, text: &str) -> bool {
    let line = format!("{text}\r\n");
    stream.write_all(line.as_bytes()).await.is_ok()
}

async fn read_line(stream: &mut BufReader<DuplexStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(len) if len > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

impl Dial for Hosts {
    type Stream = DuplexStream;

    async fn dial(&self, to: SocketAddr, _: Timestamp) -> Result<DuplexStream, DialError> {
        self.dialed.lock().unwrap().push(to.to_string());
        let script = self.scripts.lock().unwrap().get(&to).copied();
        let Some(script) = script else {
            return Err(DialError::Refused);
        };
        assert_ne!(script, ["GRIEF"], "as the test wants");
        if script == ["NO PORT"] {
            return Err(DialError::Local("no port is left".to_owned()));
        }
        if script == ["SILENCE"] {
            std::future::pending::<()>().await;
        }
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().serve(theirs, script));
        Ok(ours)
    }
}

/// Everybody at example.org is Ann; everybody else is far away. Whoever asks for somebody at
/// lost.example is put off for ever, and at grief.example comes to grief.
struct Everybody(AccountId);

impl Addressing for Everybody {
    fn recipients<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<NewRecipient>, NotAddressed>> + Send + 'a>> {
        let destination = match address.host.to_string().as_str() {
            "example.org" => Destination::Account(self.0),
            "lost.example" => {
                let why = "it leads nowhere".to_owned();
                return Box::pin(async { Err(NotAddressed::Later(why)) });
            }
            "grief.example" => panic!("as the test wants"),
            _ => Destination::Remote,
        };
        let recipient = recipient(&address.to_string(), destination);
        Box::pin(async move { Ok(vec![recipient]) })
    }
}

pub(crate) fn recipient(address: &str, destination: Destination) -> NewRecipient {
    NewRecipient {
        address: mailbox(address),
        original: ForwardPath::Mailbox(mailbox(address)),
        via: Vec::new(),
        destination,
        reason: "test".to_owned(),
    }
}

/// A deliverer with a store, a clock, a DNS and a network of its own.
pub(crate) struct World {
    pub(crate) store: Embedded,
    pub(crate) clock: Clock,
    pub(crate) dns: MapDns,
    pub(crate) hosts: Hosts,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ann: AccountId,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
}

/// When the clock of a world begins.
pub(crate) const START: i64 = 1_800_000_000_000;

impl World {
    pub(crate) async fn new(folder: &Path) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(START));
        let now = clock.clone();
        let options = Options {
            seed: Some(1),
            ..Options::new(Arc::new(move || now.now()))
        };
        let store = Embedded::open(folder, options).unwrap();
        let address = mailbox("ann@example.org");
        let ann = match store.add_account(&address, "*").await {
            Ok(ann) => ann,
            Err(_) => store.first_account().await.unwrap().unwrap().id,
        };
        let settings = Settings {
            own: Own {
                hostname: Domain::parse("mx.example.org").unwrap(),
                addresses: Vec::new(),
            },
            domains: vec![Domain::parse("example.org").unwrap()],
            routes: Routes::default(),
            schedule: Schedule::default(),
            limits: Limits {
                total: 20,
                per_hop: 4,
            },
            client: Arc::default(),
        };
        Self {
            store,
            dns: MapDns::new(clock.clone()),
            clock,
            hosts: Hosts::default(),
            wake: Arc::default(),
            stop: watch::Sender::new(false),
            ann,
            settings: Arc::new(ArcSwap::from_pointee(settings)),
        }
    }

    pub(crate) fn deliverer(&self) -> Deliverer<Embedded, MapDns, Hosts> {
        let deliverer = Deliverer::new(
            self.store.clone(),
            self.dns.clone(),
            self.hosts.clone(),
            Arc::new(Everybody(self.ann)),
            self.clock.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.wake),
        );
        deliverer.seeded(1)
    }

    pub(crate) fn start(&self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(self.deliverer().run(self.stop.subscribe()))
    }

    /// Many messages of Ann's, each to all of `to`.
    pub(crate) async fn accept_many(&self, count: usize, to: &[&str]) -> Vec<ItemId> {
        let to: Vec<_> = to.iter().map(|to| (*to, Destination::Remote)).collect();
        join_all((0..count).map(|_| self.accept(&to))).await
    }

    /// Waits until all recipients of all messages have been attempted or postponed, or are at their end.
    pub(crate) async fn attended(&self, items: &[ItemId]) {
        for item in items {
            let last = self.story(*item).await.recipients.len() - 1;
            for n in 0..=last {
                self.seen_to(*item, n).await;
            }
        }
    }

    async fn seen_to(&self, item: ItemId, n: usize) {
        for _ in 0..1000 {
            let recipient = &self.story(item).await.recipients[n];
            if recipient.status.is_some() || recipient.due.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody cares for recipient {n} of {item}");
    }

    /// A message of Ann's.
    pub(crate) async fn accept(&self, to: &[(&str, Destination)]) -> ItemId {
        self.accept_from("ann@example.org", to).await
    }

    pub(crate) async fn accept_from(&self, from: &str, to: &[(&str, Destination)]) -> ItemId {
        let mut draft = self.store.draft();
        draft
            .write(b"Return-Path: <old@example.net>\r\nSubject: hi\r\n\r\ntext\r\n")
            .await
            .unwrap();
        let from = match from {
            "" => ReversePath::Null,
            from => ReversePath::Mailbox(mailbox(from)),
        };
        let item = NewItem {
            envelope: Envelope::from(from),
            added: "Received: by test\r\n".to_owned(),
            origin: Some(Origin {
                client: [192, 0, 2, 1].into(),
                helo: "client.example.net".to_owned(),
                protocol: Protocol::Esmtp,
                login: None,
                tls: None,
            }),
            shape: Shape {
                return_paths: std::iter::once(0..32).collect(),
                ..Shape::default()
            },
            facts: Facts {
                version: 1,
                json: "{}".to_owned(),
            },
            recipients: to.iter().map(|(to, way)| recipient(to, *way)).collect(),
        };
        let id = self.store.accept(draft, item).await.unwrap();
        self.wake.notify_one();
        id
    }

    pub(crate) async fn story(&self, item: ItemId) -> ItemView {
        self.store.story(item).await.unwrap().unwrap()
    }

    /// Waits until a recipient of an item is as wanted.
    pub(crate) async fn wait_for(
        &self,
        item: ItemId,
        n: usize,
        state: RecipientState,
        attempts: u32,
    ) {
        for _ in 0..1000 {
            let recipient = &self.story(item).await.recipients[n];
            if recipient.state == state && recipient.attempts >= attempts {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "never {state:?} with {attempts} attempts: {:?}",
            self.story(item).await
        );
    }

    /// Waits until hosts have been dialed so many times.
    pub(crate) async fn dialed(&self, times: usize) {
        for _ in 0..1000 {
            if self.hosts.dialed.lock().unwrap().len() >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never dialed {times} times");
    }

    /// Waits until the first recipient of an item has seen so many attempts, or its end.
    pub(crate) async fn attempted(&self, item: ItemId, attempts: u32) -> ItemView {
        for _ in 0..1000 {
            let story = self.story(item).await;
            let recipient = &story.recipients[0];
            if recipient.attempts >= attempts || recipient.due.is_none() {
                return story;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never {attempts} attempts: {:?}", self.story(item).await);
    }

    /// Messages in Ann's mailbox, when there are so many.
    pub(crate) async fn inbox(&self, len: usize) -> Vec<String> {
        for _ in 0..1000 {
            let entries = self
                .store
                .entries(self.ann, "INBOX", 0, 1000)
                .await
                .unwrap();
            if entries.len() >= len {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut texts = Vec::new();
        for entry in self
            .store
            .entries(self.ann, "INBOX", 0, 1000)
            .await
            .unwrap()
        {
            let reader = self.store.open_message(self.ann, "INBOX", entry.uid).await;
            let octets = reader.unwrap().unwrap().read_all().await.unwrap();
            texts.push(String::from_utf8(octets).unwrap());
        }
        texts
    }

    /// Ends the deliverer and looks at the books.
    pub(crate) async fn end(&self, task: tokio::task::JoinHandle<()>) {
        self.stop.send_replace(true);
        tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .unwrap()
            .unwrap();
        let report = self.store.audit().await.unwrap();
        assert_eq!(report.problems, vec![]);
        assert!(report.totals.balance());
    }
}
