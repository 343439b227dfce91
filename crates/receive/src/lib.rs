//! SMTP in: sessions, recipient policy, acceptance
