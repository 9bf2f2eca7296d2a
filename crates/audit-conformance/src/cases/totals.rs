//! Totals and offsets are exact.

use audit_core::{AuditStoreExt as _, ErrorKind, EventQuery, Filter, Order, Sequence};

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{at, mixed, new_log};
use crate::subject::{Subject, refused};

pub(crate) fn count_what_matches(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let nothing = subject.page(&EventQuery::new(log).with_total());
    assert_eq!(nothing.total, Some(0), "an empty log counts nothing");
    let model = Model::new(subject.put(log, &mixed(37)));
    for filter in [
        Filter::new(),
        Filter::new().action("user.*"),
        Filter::new().target("item", "1").actor_id("u_1"),
        Filter::new().during(at(1)..at(3)),
        Filter::new().actor_id("no one"),
    ] {
        let expected = model.all(&filter, Order::Sequence).len() as u64;
        for order in Order::ALL {
            let query =
                EventQuery::new(log).filter(filter.clone()).order(order).limit(3).with_total();
            assert_eq!(subject.page(&query).total, Some(expected), "a total is exact: {filter:?}");
            let count =
                subject.block_on(subject.store().count(&query)).expect("events can be counted");
            assert_eq!(count, expected, "a count is exact: {filter:?}");
        }
    }
}

pub(crate) fn are_the_same_on_every_page(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let filter = Filter::new().actor_id("u_1");
    for order in Order::ALL {
        let log = new_log();
        let model = Model::new(subject.put(log, &mixed(20)));
        let expected = Some(model.all(&filter, order).len() as u64);
        let query = EventQuery::new(log).filter(filter.clone()).order(order).limit(3).with_total();
        let mut page = subject.page(&query);
        let mut pages = 1;
        while let Some(token) = page.next {
            assert_eq!(page.total, expected, "page {pages} counts the whole snapshot");
            subject.put(log, &mixed(4));
            page = subject.next_page(&query, &token).expect("its token is accepted");
            pages += 1;
        }
        assert_eq!(page.total, expected, "the last page counts the whole snapshot");
        assert!(pages > 2, "this case walks over several pages");
    }
}

pub(crate) fn are_absent_unless_asked_for(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(5));
    let query = EventQuery::new(log).limit(3);
    let page = subject.page(&query);
    assert_eq!(page.total, None, "nothing is counted unless asked for");
    let token = page.next.expect("two are left");
    let next = subject.next_page(&query.clone().with_total(), &token);
    assert_eq!(next.expect("its token is accepted").total, Some(5), "a later page can count");
    assert_eq!(subject.next_page(&query, &token).expect("its token is accepted").total, None);
}

pub(crate) fn leave_out_exactly_the_offset(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &mixed(20)));
    for (filter, order) in [
        (Filter::new(), Order::NewestFirst),
        (Filter::new().actor_id("u_2"), Order::OldestFirst),
        (Filter::new().action("user.*"), Order::Sequence),
    ] {
        let all = model.all(&filter, order);
        let query = EventQuery::new(log).filter(filter).order(order).limit(4).with_total();
        // Also those that a store might keep in fewer bits.
        let large = [16, 31, 32, 52, 53].map(|bits| 1_u64 << bits);
        let large = large.into_iter().flat_map(|offset| [offset, offset + 1]);
        for offset in (0..all.len() as u64 + 2).chain(large) {
            let query = query.clone().offset(offset);
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let page = subject.page(&query);
            let expected: Vec<_> = all.iter().skip(offset).take(4).cloned().collect();
            assert_eq!(page.events, expected, "exactly {offset} events are left out");
            assert_eq!(page.total, Some(all.len() as u64), "an offset does not change the total");
            let rest = subject.rest(&query, page, &[3]);
            let expected: Vec<_> = all.iter().skip(offset).cloned().collect();
            assert_eq!(rest, expected, "an offset applies to the first page of a walk only");
        }
    }
    let most = EventQuery::new(log).offset(Sequence::MAX.get());
    assert_eq!(subject.page(&most).events, [], "the largest offset leaves out everything");
    let error = refused(subject.try_page(&most.offset(1 << 63)), ErrorKind::Invalid, "an offset");
    assert_eq!(error.field(), Some("offset"), "an error names the field at fault");
}

pub(crate) fn agree_between_offsets_and_tokens(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(31));
    for order in Order::ALL {
        let query = EventQuery::new(log).order(order);
        let by_token = subject.walk(&query, 7);
        let by_offset: Vec<_> = (0..5)
            .flat_map(|page| subject.page(&query.clone().limit(7).offset(page * 7)).events)
            .collect();
        assert_eq!(by_offset, by_token, "{order:?}: pages by offset are the pages by token");
        assert_eq!(by_token.len(), 31, "every event is on some page");
    }
}
