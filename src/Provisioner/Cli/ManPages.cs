using System.CommandLine;
using System.Globalization;
using System.Text;
using Provisioner.Appliance;

namespace Provisioner.Cli;

/// <summary>Manual pages (man-pages(7)), made from the commands themselves: one for <c>provisioner</c>, and one for each of its commands with all below it.</summary>
internal static class ManPages
{
    /// <summary>The <c>man</c> command, for who makes the packages.</summary>
    public static Command Create(Screen screen)
    {
        var directory = new Argument<string>("DIR") { Description = "Where they are written; made when it is not there." };
        var command = new TeachingCommand("man", "Write the manual pages of all commands.", "provisioner man /usr/share/man/man1") { directory };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            var to = Directory.CreateDirectory(parsed.GetValue(directory)!);
            foreach (var (name, text) in Of(parsed.RootCommandResult.Command))
                File.WriteAllText(Path.Combine(to.FullName, name), text);
            screen.Output.WriteLine($"written to {to.FullName}");
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>Each page by its file's name.</summary>
    public static IEnumerable<(string Name, string Text)> Of(Command root)
    {
        yield return ("provisioner.1", Overview(root));
        foreach (var command in root.Subcommands.Where(c => !c.Hidden))
            yield return ($"provisioner-{command.Name}.1", Page(command, root));
    }

    private static string Overview(Command root)
    {
        var page = Begin("provisioner", root.Description);
        page.Append(".SH SYNOPSIS\n.B provisioner\n.I COMMAND\n[\n.I options\n]\n");
        Section(page, "FIRST STEPS", TeachingCommand.Help.FirstSteps);
        page.Append(".SH COMMANDS\n");
        foreach (var command in root.Subcommands.Where(c => !c.Hidden))
            page.Append(CultureInfo.InvariantCulture, $".TP\n.BR provisioner\\-{Escape(command.Name)} (1)\n{Escape(command.Description)}\n");
        Options(page, "OPTIONS", root.Options);
        page.Append("""
            .SH EXIT STATUS
            .TP
            0
            Done.
            .TP
            1
            Refused or failed; the reason is on standard error.
            .TP
            2
            Wrong usage.
            .SH ENVIRONMENT
            .TP
            .B PROVISIONER_SOCKET
            The service's socket.
            .SH FILES
            .TP
            .I /etc/provisioner/provisioner.yaml
            How the service runs.
            .TP
            .I /var/lib/provisioner
            Its data.

            """);
        return page.ToString();
    }

    private static string Page(Command command, Command root)
    {
        var page = Begin($"provisioner-{command.Name}", command.Description);
        page.Append(".SH SYNOPSIS\n");
        foreach (var (path, leaf) in Leaves(command, $"provisioner {command.Name}"))
            page.Append(CultureInfo.InvariantCulture, $".B {Escape(path)}\n{Usage(leaf)}.br\n");
        var all = Leaves(command, command.Name).ToList();
        foreach (var (path, leaf) in all)
        {
            if (all.Count > 1)
                page.Append(CultureInfo.InvariantCulture, $".SH {Escape(path.ToUpperInvariant())}\n{Escape(leaf.Description)}\n");
            else
                page.Append(CultureInfo.InvariantCulture, $".SH DESCRIPTION\n{Escape(leaf.Description)}\n");
            foreach (var argument in leaf.Arguments)
                page.Append(CultureInfo.InvariantCulture, $".TP\n.I {Escape(argument.Name)}\n{Escape(argument.Description)}\n");
            Options(page, null, leaf.Options);
            if (leaf is TeachingCommand { Examples.Count: > 0 } teaching)
                page.Append(CultureInfo.InvariantCulture, $".PP\nExamples:\n.PP\n.nf\n{string.Join('\n', teaching.Examples.Select(Escape))}\n.fi\n");
        }
        Options(page, "GENERAL OPTIONS", root.Options.Where(o => o.Recursive));
        page.Append(".SH SEE ALSO\n.BR provisioner (1)\n");
        return page.ToString();
    }

    private static IEnumerable<(string Path, Command Command)> Leaves(Command command, string path) => command.Subcommands.Count == 0
        ? [(path, command)]
        : command.Subcommands.Where(c => !c.Hidden).SelectMany(c => Leaves(c, $"{path} {c.Name}"));

    private static StringBuilder Begin(string name, string? description) => new StringBuilder()
        .Append(CultureInfo.InvariantCulture, $".TH {Escape(name.ToUpperInvariant())} 1 \"\" \"provisioner {Escape(ApplianceStatus.Version)}\" \"Provisioner\"\n")
        .Append(CultureInfo.InvariantCulture, $".SH NAME\n{Escape(name)} \\- {Escape(FirstSentence(description))}\n");

    private static string Usage(Command leaf)
    {
        var words = leaf.Arguments.Select(a => a.Arity.MinimumNumberOfValues == 0 ? $"[{a.Name}]" : a.Name)
            .Concat(leaf.Options.Any(o => !o.Hidden) ? ["[options]"] : Array.Empty<string>()).ToList();
        return words.Count == 0 ? "" : $".I {Escape(string.Join(' ', words))}\n";
    }

    private static void Options(StringBuilder page, string? heading, IEnumerable<Option> options)
    {
        var shown = options.Where(o => !o.Hidden).ToList();
        if (shown.Count == 0)
            return;
        if (heading is not null)
            page.Append(CultureInfo.InvariantCulture, $".SH {heading}\n");
        foreach (var option in shown)
        {
            var names = string.Join(", ", option.Aliases.Append(option.Name).Where(n => n.StartsWith('-')).OrderBy(n => n.Length).Select(Escape));
            var value = option.ValueType == typeof(bool) || option.HelpName is null ? "" : $" \\fI{Escape(option.HelpName)}\\fR";
            page.Append(CultureInfo.InvariantCulture, $".TP\n\\fB{names}\\fR{value}\n{Escape(option.Description)}\n");
        }
    }

    private static void Section(StringBuilder page, string heading, string text) =>
        page.Append(CultureInfo.InvariantCulture, $".SH {heading}\n.nf\n{string.Join('\n', text.TrimEnd().Split('\n').Select(Escape))}\n.fi\n");

    private static string FirstSentence(string? text) => (text ?? "").Split(". ")[0].TrimEnd('.');

    // A line that begins with a dot or quote is a request to roff, a plain hyphen is not the one people type.
    private static string Escape(string? text)
    {
        var escaped = (text ?? "").Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal);
        return escaped is ['.' or '\'', ..] ? $"\\&{escaped}" : escaped;
    }
}
