//! The command line: `dev`, `serve`, `token`.

mod args;
mod data;
mod dev;
mod run;
mod serve;
mod token;

pub use self::{
    args::{Args, Command, RoleArg, ServeArgs, TokenArgs},
    run::main,
};
