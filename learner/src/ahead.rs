//! Preparing the next piece of work while the one before is being done.

use std::sync::mpsc::sync_channel;

/// Calls `done` with what `make` makes of each of `orders`, in their order. The next one is made, in a thread of its own,
/// while `done` works on the one before; no more than that is made ahead.
///
/// # Errors
/// The first of `done`, which is not called again.
pub(crate) fn one_ahead<Order: Sync, Made: Send, Error>(
    orders: &[Order],
    make: impl Fn(&Order) -> Made + Send,
    mut done: impl FnMut(&Order, Made) -> Result<(), Error>,
) -> Result<(), Error> {
    let [only] = orders else {
        return std::thread::scope(|scope| {
            let (sender, made) = sync_channel(0);
            // Whoever makes ends when nobody takes any more.
            scope.spawn(move || orders.iter().try_for_each(|order| sender.send(make(order))));
            orders.iter().zip(made).try_for_each(|(order, made)| done(order, made))
        });
    };
    done(only, make(only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_done_in_order_until_one_fails() {
        for count in [0, 1, 2, 7] {
            let orders: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            let result = one_ahead(
                &orders,
                |order| order * 10,
                |&order, made| {
                    seen.push((order, made));
                    if order == 4 { Err("four") } else { Ok(()) }
                },
            );
            assert_eq!(seen, (0..count.min(5)).map(|order| (order, order * 10)).collect::<Vec<_>>());
            assert_eq!(result.is_err(), count > 4);
        }
    }
}
