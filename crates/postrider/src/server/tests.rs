//! What stops a server besides an order, and how its listeners follow the configuration.

use std::path::Path;
use std::time::Duration;

use mailtypes::Domain;
use net::Clock;
use net::activation::Given;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{Orders, Server, Sockets, open_store};
use crate::config::{Config, Listen};
use crate::failure::code;

#[tokio::test]
async fn a_part_that_ends_stops_the_server() {
    check_stop(|server| server.delivering.abort(), "deliverer").await;
    check_stop(|server| server.control.abort(), "control socket").await;
    check_stop(|server| server.listeners.abort(), "listener of 127.0.0.1").await;
    let metrics = |server: &Server| server.metrics.as_ref().unwrap().abort();
    check_stop(metrics, "metrics").await;
}

async fn check_stop(end: impl FnOnce(&Server), part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..config(folder.path(), &["127.0.0.1:0"])
    };
    let server = start(config, Vec::new()).await;
    end(&server);
    let failure = server.run(Orders::listen(None).unwrap()).await.unwrap_err();
    assert_eq!(failure.code, code::SOFTWARE);
    assert!(failure.cause.contains(part), "{failure}");
}

#[tokio::test]
async fn an_address_may_become_another_one_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let free = net::listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut server = start(
        config(folder.path(), &[&format!("127.0.0.1:{port}")]),
        Vec::new(),
    )
    .await;
    for other in ["0.0.0.0", "127.0.0.1", "0.0.0.0"] {
        let all = config(folder.path(), &[&format!("{other}:{port}")]);
        server.take_up(all).await;
        assert!(greets(port).await, "{other}");
    }
}

/// systemd's `[::]` takes IPv4 too, whichever of the two the configuration has at the moment.
#[tokio::test]
async fn a_dual_stack_socket_serves_what_is_configured_at_the_moment() {
    let Some(given) = dual_stack() else {
        eprintln!("skipped: net.ipv6: this machine has no IPv6");
        return;
    };
    let port = given.addr.port();
    let (six, four) = (format!("[::]:{port}"), format!("0.0.0.0:{port}"));
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(config(folder.path(), &[&six, &four]), vec![given]).await;
    assert!(greets(port).await);
    for listen in [&[&*four][..], &[&six], &[&four, &six], &[&six, &four]] {
        server.take_up(config(folder.path(), listen)).await;
        assert!(greets(port).await, "{listen:?}");
    }
}

fn config(data: &Path, listen: &[&str]) -> Config {
    let plain = |text: &&str| Listen::plain(text.parse().unwrap());
    Config {
        hostname: Domain::parse("mx.example.org").unwrap(),
        data: data.to_owned(),
        listen: listen.iter().map(plain).collect(),
        ..Config::default()
    }
}

async fn start(config: Config, given: Vec<Given>) -> Server {
    let clock = Clock::system();
    let store = open_store(&config.data, &clock).unwrap();
    Server::start(store, clock, config, None, Sockets::Own(given))
        .await
        .unwrap()
}

async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut client = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut octets = [0; 3];
        client.read_exact(&mut octets).await?;
        std::io::Result::Ok(octets == *b"220")
    };
    let patience = Duration::from_secs(5);
    matches!(tokio::time::timeout(patience, greeting).await, Ok(Ok(true)))
}

fn dual_stack() -> Option<Given> {
    let listener = std::net::TcpListener::bind("[::]:0").ok()?;
    listener.set_nonblocking(true).unwrap();
    Some(Given {
        addr: listener.local_addr().unwrap(),
        dual_stack: true,
        listener,
    })
}
