//! Sends and receives one packet, with or without a file descriptor beside it. SCM_RIGHTS, unix(7)

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_type};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketType, recvmsg, sendmsg,
};

use super::wire::PACKET_LEN_MAX;
use super::{HandoffError, WAIT_MAX};

/// Makes sure that packets stay apart, and that sending has a deadline.
pub(super) fn check_socket(socket: &OwnedFd) -> std::io::Result<()> {
    if socket_type(socket)? != SocketType::SEQPACKET {
        return Err(std::io::Error::other("not the socket of a handoff"));
    }
    set_socket_timeout(socket, Timeout::Send, Some(WAIT_MAX))?;
    Ok(())
}

pub(super) fn send(
    socket: &OwnedFd,
    octets: &[u8],
    passed: Option<BorrowedFd<'_>>,
) -> Result<(), HandoffError> {
    let passed = passed.as_slice();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let sent = retry_on_intr(|| {
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !passed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(passed));
        }
        let parts = [IoSlice::new(octets)];
        sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL)
    })?;
    if sent == octets.len() {
        Ok(())
    } else {
        Err(HandoffError::Malformed("a packet was sent in part"))
    }
}

/// One packet and at most one file descriptor.
pub(super) fn receive(socket: impl AsFd) -> Result<(Vec<u8>, Option<OwnedFd>), HandoffError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let octets = receive_with(socket, &mut control)?;
    let mut passed = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            passed = fds.last(); // the others are closed
        }
    }
    Ok((octets, passed))
}

/// One packet. With no room given for file descriptors, the kernel drops those that are sent.
pub(super) fn receive_plain(socket: impl AsFd) -> Result<Vec<u8>, HandoffError> {
    receive_with(socket, &mut RecvAncillaryBuffer::default())
}

fn receive_with(
    socket: impl AsFd,
    control: &mut RecvAncillaryBuffer<'_>,
) -> Result<Vec<u8>, HandoffError> {
    let mut octets = vec![0; PACKET_LEN_MAX];
    let message = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut octets)];
        recvmsg(&socket, &mut parts, control, RecvFlags::CMSG_CLOEXEC)
    })?;
    if message.bytes == 0 {
        return Err(HandoffError::Closed);
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(HandoffError::Malformed("packet too long"));
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(HandoffError::Malformed(
            "a file descriptor that nobody asked for",
        ));
    }
    octets.truncate(message.bytes);
    Ok(octets)
}
