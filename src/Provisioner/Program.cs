using Provisioner.Cli;

// serve                              Appliance/Serve.cs          the service: what it is made of is in Appliance/ApplianceHost.cs
// apply, get, describe, delete       Cli/ResourceCommands.cs     all others talk to the service, over its unix socket or --server
// provision, cancel, adopt, render,
//   explain, log, disk-passphrase    Cli/HostCommands.cs
// events                             Cli/EventsCommand.cs
// token, retire, dismiss             Cli/CertificateCommands.cs
// ca show, rotate, revoke, crl,
//   csr, import, rebuild             Cli/AuthorityCommands.cs
// backup, restore, doctor, support  Cli/BackupCommand.cs, RestoreCommand.cs, DoctorCommand.cs, SupportCommand.cs
// image import, list, verify         Cli/ImageCommands.cs
// setup, user, session               Cli/PeopleCommands.cs      people and what they may
// token create, list, revoke         Cli/TokenCommands.cs       programs
// audit, audit export, verify        Cli/AuditCommands.cs
// status                             Cli/StatusCommand.cs
// completion, man                    Cli/CompletionCommand.cs, Cli/ManPages.cs
// machine reboot, power-off          Cli/MachineCommands.cs
// machine setup, console             Cli/MachineSetupCommands.cs  the machine of an appliance image: Appliance/Setup
return await CommandLine.RunAsync(args, Screen.OfThisProcess());
