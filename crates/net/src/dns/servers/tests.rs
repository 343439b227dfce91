//! Against a server on loopback that can lie, stall and truncate.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX};
use hickory_resolver::proto::rr::{RData, Record};
use mailtypes::dns::{DnsName, Records};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::chain::ALIASES_MAX;
use super::*;

/// What the server has to say to a question, as several datagrams or one TCP answer.
fn answers(asked: &[u8], udp: bool) -> Vec<Vec<u8>> {
    let question = Message::from_vec(asked).unwrap();
    let query = question.queries[0].clone();
    let of = |name: &str| Name::from_ascii(name).unwrap();
    let record = |name: &str, data| Record::from_rdata(of(name), 300, data);
    let a = |name: &str, last: u8| record(name, RData::A(A(Ipv4Addr::new(192, 0, 2, last))));
    let cname = |name: &str, to: &str| record(name, RData::CNAME(CNAME(of(to))));
    let mx = |preference, host: &str| RData::MX(MX::new(preference, of(host)));
    let mut answer = question.into_response();
    answer.metadata.recursion_available = true;
    let name = query.name.to_ascii();
    match name.as_str() {
        "one.example." => drop(answer.add_answer(a(&name, 1)).add_answer(a(&name, 2))),
        "mail.example." => {
            answer.add_answer(record(&name, mx(10, "mx.mail.example.")));
            answer.add_answer(record(&name, mx(20, ".")));
        }
        "none.example." => {}
        "gone.example." => answer.metadata.response_code = ResponseCode::NXDomain,
        "fail.example." => answer.metadata.response_code = ResponseCode::ServFail,
        "no.example." => answer.metadata.response_code = ResponseCode::Refused,
        "silent.example." => return Vec::new(),
        "junk.example." => return vec![vec![0xff; 40]],
        "big.example." if udp => answer.metadata.truncation = true,
        "big.example." => drop(answer.add_answers((0..100).map(|last| a(&name, last)))),
        "liar.example." => {
            let mut lie = answer.clone();
            lie.metadata.id ^= 1;
            lie.add_answer(a(&name, 66));
            answer.add_answer(a(&name, 1));
            return vec![lie.to_vec().unwrap(), answer.to_vec().unwrap()];
        }
        "alias.example." => {
            answer.add_answer(cname(&name, "one.example."));
            answer.add_answer(a("one.example.", 1));
        }
        "dangling.example." => {
            answer.add_answer(cname(&name, "gone.example."));
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        "loop.example." => {
            answer.add_answer(cname(&name, "pool.example."));
            answer.add_answer(cname("pool.example.", &name));
        }
        "loop1.example." => drop(answer.add_answer(cname(&name, "loop2.example."))),
        "loop2.example." => drop(answer.add_answer(cname(&name, "loop1.example."))),
        "step8.example." => drop(answer.add_answer(a(&name, 8))),
        step if step.starts_with("step") => {
            let n: u8 = step[4..5].parse().unwrap();
            answer.add_answer(cname(&name, &format!("step{}.example.", n + 1)));
        }
        "backwards.example." => {
            answer.add_answer(a("one.example.", 1));
            answer.add_answer(cname(&name, "one.example."));
        }
        "hollow.example." => drop(answer.add_answer(cname(&name, "none.example."))),
        "other.example." => drop(answer.add_answer(a("one.example.", 1))),
        "long.example." => {
            let hops: Vec<String> = (0..=ALIASES_MAX)
                .map(|n| format!("hop{n}.example."))
                .collect();
            let mut from = name.clone();
            for hop in hops {
                answer.add_answer(cname(&from, &hop));
                from = hop;
            }
            answer.add_answer(a(&from, 1));
        }
        other => panic!("nobody should ask for {other}"),
    }
    vec![answer.to_vec().unwrap()]
}

/// Serves until the runtime of the test ends.
async fn server() -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (len, from) = udp.recv_from(&mut buffer).await.unwrap();
            for answer in answers(&buffer[..len], true) {
                udp.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            while let Ok(len) = stream.read_u16().await {
                let mut asked = vec![0; len.into()];
                stream.read_exact(&mut asked).await.unwrap();
                for answer in answers(&asked, false) {
                    stream
                        .write_u16(answer.len().try_into().unwrap())
                        .await
                        .unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        }
    });
    at
}

async fn ask(kind: Kind, name: &str) -> String {
    let settings = DnsSettings {
        servers: vec![server().await],
        try_timeout: Duration::from_millis(200),
        lookup_timeout: Duration::from_secs(2),
    };
    let name = DnsName::parse(name).unwrap();
    let answer = Servers::new(&settings)
        .unwrap()
        .lookup(Question { name, kind })
        .await;
    match answer {
        Ok(Answer {
            records: Records::A(list),
            aliases,
            ..
        }) => {
            let list: Vec<String> = list.iter().take(3).map(ToString::to_string).collect();
            let aliases: Vec<String> = aliases.iter().map(ToString::to_string).collect();
            format!("{} via {}", list.join(" "), aliases.join(" "))
        }
        Ok(answer) => answer.to_string(),
        Err(DnsError::ServFail(_)) => "servfail".to_owned(),
        Err(DnsError::Refused(_)) => "refused".to_owned(),
        Err(DnsError::Timeout(_)) => "timeout".to_owned(),
        Err(DnsError::Network(_)) => "network".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn what_servers_say_is_told_apart() {
    for (kind, name, expect) in [
        (Kind::A, "one.example", "192.0.2.1 192.0.2.2 via "),
        (Kind::A, "none.example", " via "),
        (Kind::A, "gone.example", "NoSuchName"),
        (Kind::A, "fail.example", "servfail"),
        (Kind::A, "no.example", "refused"),
        (Kind::A, "silent.example", "timeout"),
        // By TCP, as the answer by UDP was cut.
        (Kind::A, "big.example", "192.0.2.0 192.0.2.1 192.0.2.2 via "),
        // The first datagram has another id: a forger's.
        (Kind::A, "liar.example", "192.0.2.1 via "),
        (Kind::A, "alias.example", "192.0.2.1 via one.example"),
        (Kind::A, "dangling.example", "NoSuchName"),
        (Kind::A, "long.example", "TooManyAliases"),
        // The same in one answer, in many answers, and a loop: always the same.
        (Kind::A, "loop.example", "TooManyAliases"),
        (Kind::A, "loop1.example", "TooManyAliases"),
        (
            Kind::A,
            "step0.example",
            "192.0.2.8 via step1.example step2.example step3.example step4.example \
             step5.example step6.example step7.example step8.example",
        ),
        (Kind::A, "backwards.example", "192.0.2.1 via one.example"),
        (Kind::A, "hollow.example", " via none.example"),
        (
            Kind::A,
            "other.example",
            "Malformed(\"it speaks of one.example. when asked about other.example.\")",
        ),
    ] {
        assert_eq!(ask(kind, name).await, expect, "{name}");
    }
    let mail = ask(Kind::Mx, "mail.example").await;
    assert!(
        mail.contains("10 mx.mail.example") && mail.contains("20 ."),
        "{mail}"
    );
}

/// Nonsense says nothing about the name: the mail waits.
#[tokio::test]
async fn nonsense_is_no_answer() {
    let heard = ask(Kind::A, "junk.example").await;
    assert!(["timeout", "network"].contains(&heard.as_str()), "{heard}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_answer() {
    let settings = DnsSettings {
        servers: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9)],
        try_timeout: Duration::from_millis(200),
        lookup_timeout: Duration::from_secs(2),
    };
    let name = DnsName::parse("one.example").unwrap();
    let question = Question {
        name,
        kind: Kind::A,
    };
    let answer = Servers::new(&settings).unwrap().lookup(question).await;
    assert!(
        matches!(answer, Err(DnsError::Network(_) | DnsError::Timeout(_))),
        "{answer:?}"
    );
}
