//! Prepares the next input while the one before is processed.

use std::sync::mpsc::sync_channel;

/// Calls `done` with the result of `make` for each of `orders`, in their order. A thread makes the next result while `done`
/// works on the one before, and not more than one ahead.
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
            // The thread ends when the receiver is dropped.
            let maker = scope.spawn(move || orders.iter().try_for_each(|order| sender.send(make(order))));
            let result = orders.iter().zip(made).try_for_each(|(order, made)| done(order, made));
            // A scope waits for the closure only. What libtorch keeps of a thread must be gone before the process ends.
            if let Err(panic) = maker.join() {
                std::panic::resume_unwind(panic);
            }
            result
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
