//! Accounts: passwords asked for and given, rights, and what never shows up where it should not.

mod passwd;
