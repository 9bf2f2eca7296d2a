//! Random operations on a store, each answer compared with a plain list.

mod figure;
mod op;
mod player;
mod reads;
mod writes;

use std::cell::RefCell;

use proptest::collection::vec;

use crate::harness::NewRetentionHarness;
use crate::property;
use figure::Figure;
use player::Player;

/// The number of cases, unless the environment says otherwise.
const CASES: u32 = 256;
/// The most operations of one case.
const OPERATIONS: usize = 60;
/// The number of cases that share a store, each with logs of its own.
const CASES_PER_STORE: u32 = 64;

pub(crate) fn agrees_with_the_model(new: NewRetentionHarness<'_>) {
    let figure = RefCell::new(Figure::default());
    let table = RefCell::new(Table { new, player: None, games: 0 });
    let promise = "the store and the model agree after each operation";
    property::check(promise, CASES, &vec(op::op(), 1..OPERATIONS), |ops| {
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
    println!("state machine: {}", figure.into_inner());
}

/// Where players meet stores.
struct Table<'a> {
    new: NewRetentionHarness<'a>,
    player: Option<Player>,
    games: u32,
}

impl Table<'_> {
    /// A player with two empty logs, in a new store now and then.
    fn seat(&mut self) -> Player {
        self.games += 1;
        match self.player.take() {
            Some(player) if !self.games.is_multiple_of(CASES_PER_STORE) => player.again(),
            _ => Player::new(self.new),
        }
    }
}
