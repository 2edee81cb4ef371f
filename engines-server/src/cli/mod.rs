//! The command line: `dev`, `serve`, `token`, `redact`, `tenant`, `migrate`, `doctor`, `settings`.

mod args;
mod data;
mod dev;
mod doctor;
mod migrate;
mod operation_args;
mod redact;
mod run;
mod serve;
mod settings;
mod store_access;
mod tenant;
mod token;

pub use self::{
    args::{Args, Command, FormatArg, ModeArg, RedactArgs, RoleArg, ServeArgs, TokenArgs},
    operation_args::{
        DataArgs, DoctorArgs, EnvArg, MigrateArgs, SettingsArgs, TenantCommand, TenantExportArgs, TenantForkArgs,
        TenantImportArgs,
    },
    run::main,
};
