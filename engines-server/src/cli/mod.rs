//! The command line: `dev`, `serve`, `token`, `redact`, `backup`, `tenant`, `migrate`, `doctor`, `settings`.

mod args;
mod backup;
mod data_dir;
mod dev;
mod doctor;
mod engine_setup;
mod error;
mod migrate;
mod operation_args;
mod redact;
mod run;
mod runtime;
mod serve;
mod settings;
mod store_access;
mod tenant;
mod terminal;
mod token;

pub use self::{
    args::{Args, Command, FormatArg, ModeArg, RedactArgs, RoleArg, ServeArgs, TokenArgs},
    backup::{BackupArgs, BackupCommand, CreateArgs, KeyArgs, ListArgs, RestoreArgs, VerifyArgs},
    operation_args::{
        DataArgs, DoctorArgs, EnvArg, MigrateArgs, SettingsArgs, TenantCommand, TenantExportArgs, TenantForkArgs,
        TenantImportArgs,
    },
    run::main,
};
