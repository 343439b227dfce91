//! The orders that the writer knows, one file for each kind of work.

mod accept;
mod ask;
mod begin;
mod bring_home;
mod deliver;
mod directory;
mod lease;
mod operate;
mod record;
mod relocate;
mod report;
mod retain;
mod set_aside;
mod settle;

pub(crate) use accept::Accept;
pub(crate) use ask::Ask;
pub(crate) use begin::Begin;
pub(crate) use bring_home::BringHome;
pub(crate) use deliver::DeliverLocal;
pub(crate) use directory::{
    AddAccount, RemoveAccount, RemoveAlias, SetAlias, SetDelivery, SetPassword,
};
pub(crate) use lease::{RenewLease, TakeLease};
pub(crate) use operate::Operate;
pub(crate) use record::Record;
pub(crate) use relocate::{DropDead, Move, Relocate};
pub(crate) use report::{Report, Suppress};
pub(crate) use retain::{ForgetStories, PurgeAccounts};
pub(crate) use set_aside::SetAside;
pub(crate) use settle::Settle;
