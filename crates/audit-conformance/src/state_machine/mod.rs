//! Random operations on a store, each answer compared with a plain list.

mod figure;
mod op;
mod player;
mod reads;
mod writes;

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::harness::NewRetentionHarness;
use figure::Figure;
use player::Player;

/// How many cases are played unless [`CASES_VARIABLE`] says otherwise.
const CASES: u32 = 256;
const CASES_VARIABLE: &str = "AUDIT_CONFORMANCE_CASES";
/// The most operations of one case.
const OPERATIONS: usize = 60;
/// The number of cases that share a store, each with its own logs.
const CASES_PER_STORE: u32 = 64;

pub(crate) fn agrees_with_the_model(new: NewRetentionHarness<'_>) {
    let cases = match std::env::var(CASES_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{CASES_VARIABLE} must be a number")),
        Err(_) => CASES,
    };
    let figure = RefCell::new(Figure::default());
    let table = RefCell::new(Table { new, player: None, games: 0 });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(op::op(), 1..OPERATIONS), |ops| {
        let mut table = table.borrow_mut();
        let mut player = table.seat();
        let played = player.play(&ops);
        *figure.borrow_mut() += player.figure();
        // After a failure the store may be in any state.
        if played.is_ok() {
            table.player = Some(player);
        }
        played
    });
    match outcome {
        Ok(()) => println!("state machine: {}", figure.into_inner()),
        Err(TestError::Fail(reason, ops)) => {
            panic!("the store and the model disagree: {reason}\nafter {ops:#?}")
        }
        Err(TestError::Abort(reason)) => panic!("the state machine stopped: {reason}"),
    }
}

/// Where players meet stores.
struct Table<'a> {
    new: NewRetentionHarness<'a>,
    player: Option<Player>,
    games: u32,
}

impl Table<'_> {
    /// Returns a player with two empty logs, in a new store now and then.
    fn seat(&mut self) -> Player {
        self.games += 1;
        match self.player.take() {
            Some(player) if !self.games.is_multiple_of(CASES_PER_STORE) => player.again(),
            _ => Player::new(self.new),
        }
    }
}
