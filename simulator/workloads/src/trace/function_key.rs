/// The hashes that name a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    /// Its application.
    pub application: String,
    /// The function in it; empty for the application as a whole.
    pub function: String,
}
