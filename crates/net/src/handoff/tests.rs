use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;

use super::*;
use crate::listen;

fn ends() -> (Parent, Child) {
    let (parent, child) = pair().unwrap();
    (parent, Child::new(child).unwrap())
}

/// Allows loopback, has served everything for long, and nothing else.
fn decide(request: Request) -> Result<Option<TcpListener>, String> {
    let Request::Bind(addr) = request;
    if addr.ip().is_loopback() {
        let listener = listen::bind(addr).map_err(|error| error.to_string())?;
        Ok(Some(listener))
    } else if addr.ip().is_unspecified() {
        Ok(None)
    } else {
        Err(format!("{addr} is not in the configuration"))
    }
}

#[test]
fn a_listener_is_handed_over_and_works() {
    let (parent, child) = ends();
    let serving = thread::spawn(move || {
        assert_eq!(parent.serve_one(decide).unwrap(), Served::Answered);
        assert_eq!(parent.serve_one(decide).unwrap(), Served::Answered);
        assert_eq!(parent.serve_one(decide).unwrap(), Served::Answered);
        assert_eq!(parent.serve_one(decide).unwrap(), Served::ChildGone);
    });
    let listener = child.bind("127.0.0.1:0".parse().unwrap()).unwrap().unwrap();
    assert!(child.bind("0.0.0.0:25".parse().unwrap()).unwrap().is_none());
    let refusal = child.bind("192.0.2.1:25".parse().unwrap()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "192.0.2.1:25 is not in the configuration"
    );
    drop(child);
    serving.join().unwrap();

    listener.set_nonblocking(false).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap().0.write_all(b"220").unwrap();
    let mut greeting = String::new();
    client.read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "220");
}

#[test]
fn nonsense_from_a_child_is_not_answered() {
    for octets in [&b"GET /"[..], &[1; 4000], b"\x01\x09\0\0\0\x01"] {
        let (parent, child) = pair().unwrap();
        packet::send(&child, octets, None).unwrap();
        let served = parent.serve_one(|_| panic!("nothing to decide"));
        assert!(
            matches!(served, Err(HandoffError::Malformed(_))),
            "{served:?}"
        );
    }
}

#[test]
fn descriptors_from_a_child_are_dropped() {
    let (parent, child) = pair().unwrap();
    let octets = wire::write_request(1, Request::Bind("127.0.0.1:0".parse().unwrap()));
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    packet::send(&child, &octets, Some(theirs.as_fd())).unwrap();
    drop(theirs);
    let served = parent.serve_one(|_| panic!("nothing to decide"));
    assert!(
        matches!(served, Err(HandoffError::Malformed(_))),
        "{served:?}"
    );
    assert_eq!(ours.read(&mut [0; 1]).unwrap(), 0); // closed: nobody holds the other end
}

#[test]
fn a_late_answer_is_not_taken_for_this_one() {
    let (parent, child) = ends();
    let addr: SocketAddr = "127.0.0.1:0".parse().unwrap();
    // An answer to some request before, still on its way.
    let late = wire::write_answer(99, &wire::Answer::Refused("late".to_owned()));
    packet::send(&parent.as_fd().try_clone_to_owned().unwrap(), &late, None).unwrap();
    let serving = thread::spawn(move || parent.serve_one(decide).unwrap());
    assert!(child.bind(addr).is_ok());
    serving.join().unwrap();
}

#[test]
fn another_socket_than_asked_for_is_refused() {
    let (parent, child) = ends();
    let serving = thread::spawn(move || {
        let other = |_| Ok(listen::bind("127.0.0.2:0".parse().unwrap()).ok());
        parent.serve_one(other).unwrap()
    });
    let got = child.bind("127.0.0.1:0".parse().unwrap());
    assert!(matches!(got, Err(HandoffError::Malformed(_))), "{got:?}");
    serving.join().unwrap();
}

#[test]
fn a_parent_that_has_gone_is_noticed() {
    let (parent, child) = ends();
    drop(parent);
    let got = child.bind("127.0.0.1:0".parse().unwrap());
    assert!(matches!(got, Err(HandoffError::Closed)), "{got:?}");
}

#[test]
fn only_the_right_kind_of_socket_is_taken_up() {
    let (stream, _) = std::os::unix::net::UnixStream::pair().unwrap();
    assert!(Child::new(stream.into()).is_err());
}
