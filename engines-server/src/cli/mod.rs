//! The command line: `dev`, `serve`, `token`, `redact`.

mod args;
mod data;
mod dev;
mod redact;
mod run;
mod serve;
mod token;

pub use self::{
    args::{Args, Command, FormatArg, ModeArg, RedactArgs, RoleArg, ServeArgs, TokenArgs},
    run::main,
};
