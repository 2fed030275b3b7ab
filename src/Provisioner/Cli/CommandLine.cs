using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Provisioner.Cli;

/// <summary>The <c>provisioner</c> command. Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage.</summary>
internal static class CommandLine
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;

    public static async Task<int> RunAsync(string[] args, Screen screen, CancellationToken cancellation = default)
    {
        var root = Commands(screen);
        var parsed = root.Parse(args);
        // System.CommandLine answers wrong usage with 1; here 1 means that what was asked for was refused.
        if (parsed.Action is ParseErrorAction)
        {
            foreach (var error in parsed.Errors)
                screen.Error.WriteLine($"provisioner: {string.Join(' ', error.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
            screen.Error.WriteLine($"See: {PathOf(parsed.CommandResult)} --help");
            return WrongUsage;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = screen.Output,
                Error = screen.Error,
                EnableDefaultExceptionHandler = false,
                // The service handles its own signals, the other commands end at once.
                ProcessTerminationTimeout = null,
            }, cancellation);
        }
        catch (CommandFailedException failed)
        {
            foreach (var line in failed.Lines)
                screen.Error.WriteLine($"provisioner: {line}");
            return failed.ExitCode;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return Failed;
        }
    }

    private static TeachingCommand.Root Commands(Screen screen)
    {
        var socket = new Option<string?>("--socket")
        {
            Description = "The service's socket; also by PROVISIONER_SOCKET. Without either, the one in the data directory.",
            HelpName = "PATH",
            Recursive = true,
        };
        var remote = new RemoteOptions();
        Func<ParseResult, ApiClient> connect = parsed => remote.Read(parsed, socketSaid: parsed.GetValue(socket) is not null) is { } server ? new ApiClient(server) : new ApiClient(SocketPath.Find(parsed.GetValue(socket)));
        var root = new TeachingCommand.Root
        {
            socket,
            remote.Server,
            remote.Token,
            remote.TokenFile,
            remote.Ca,
            ServeCommand.Create(screen, socket),
        };
        foreach (var command in ResourceCommands.Create(screen, connect)
            .Concat(HostCommands.Create(screen, connect))
            .Append(NetBoxCommand.Create(screen, connect))
            .Append(EventsCommand.Create(screen, connect))
            .Concat(CertificateCommands.Create(screen, connect))
            .Concat(NodeCommands.Create(screen, connect))
            .Concat(UpgradeCommands.Create(screen, connect))
            .Append(AuthorityCommands.Create(screen, connect))
            .Append(ImageCommands.Create(screen, connect))
            .Append(CacheCommands.Create(screen, connect))
            .Append(AwsCommands.Create(screen, connect))
            .Concat(PeopleCommands.Create(screen, connect))
            .Append(AuditCommands.Create(screen, connect))
            .Append(InventoryCommand.Create(screen, connect))
            .Append(WebhookCommands.Create(screen, connect))
            .Append(StatusCommand.Create(screen, connect))
            .Append(MachineCommands.Create(screen, connect))
            .Append(BackupCommand.Create(screen, connect))
            .Append(RestoreCommand.Create(screen))
            .Append(DoctorCommand.Create(screen, connect))
            .Append(SupportCommand.Create(screen, connect))
            .Append(TemplateCommand.Create(screen))
            .Append(CompletionCommand.Create(screen))
            .Append(ManPages.Create(screen)))
        {
            root.Add(command);
        }
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new TeachingCommand.Help(option.Action as HelpAction ?? new HelpAction());
        root.SetAction(parsed => new TeachingCommand.Help(new HelpAction()).Invoke(parsed));
        return root;
    }

    private static string PathOf(CommandResult? command)
    {
        var names = new Stack<string>();
        for (SymbolResult? result = command; result is not null; result = result.Parent)
        {
            if (result is CommandResult { Command: not RootCommand } named)
                names.Push(named.Command.Name);
        }
        names.Push("provisioner");
        return string.Join(' ', names);
    }
}

/// <summary>A command could not do what it was asked to.</summary>
internal sealed class CommandFailedException(IReadOnlyList<string> lines, int exitCode = CommandLine.Failed) : Exception(string.Join('\n', lines))
{
    public CommandFailedException(string line) : this([line])
    {
    }

    public IReadOnlyList<string> Lines => lines;

    public int ExitCode => exitCode;
}
