//! Header fields, Received, Return-Path, dates: the bytes of a message
