using Spectre.Console;

namespace Provisioner.Cli;

/// <summary>Where a command reads and writes. Colours and progress are for terminals alone (https://no-color.org is kept).</summary>
internal sealed class Screen
{
    /// <summary>Lines this long fit every terminal.</summary>
    public const int NarrowestWidth = 80;

    /// <summary>Into a pipe nothing is cut off: a program reads it.</summary>
    private const int PipeWidth = 4096;

    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    public required TextReader Input { get; init; }

    /// <summary>A person looks at <see cref="Output"/>.</summary>
    public bool IsTerminal { get; init; }

    /// <summary>A person looks at <see cref="Error"/>: progress is shown.</summary>
    public bool ShowsProgress { get; init; }

    public int Width { get; init; } = NarrowestWidth;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where commands keep what another run may go on with (XDG Base Directory Specification); null to keep nothing.</summary>
    public string? CacheDirectory { get; init; }

    public static Screen OfThisProcess() => new()
    {
        Output = Console.Out,
        Error = Console.Error,
        Input = Console.In,
        IsTerminal = !Console.IsOutputRedirected,
        Asks = !Console.IsInputRedirected && !Console.IsErrorRedirected,
        ShowsProgress = !Console.IsErrorRedirected,
        Width = Console.IsOutputRedirected ? NarrowestWidth : Math.Max(NarrowestWidth, Console.WindowWidth),
        CacheDirectory = (Environment.GetEnvironmentVariable("XDG_CACHE_HOME"), Environment.GetEnvironmentVariable("HOME")) switch
        {
            ({ Length: > 0 } cache, _) when Path.IsPathFullyQualified(cache) => Path.Combine(cache, "provisioner"),
            (_, { Length: > 0 } home) when Path.IsPathFullyQualified(home) => Path.Combine(home, ".cache", "provisioner"),
            _ => null,
        },
    };

    public bool Colours => IsTerminal && Environment.GetEnvironmentVariable("NO_COLOR") is null or "" && Environment.GetEnvironmentVariable("TERM") is not "dumb";

    /// <summary>A table without frame, its columns as wide as they need to be, cut off at the terminal's edge.</summary>
    public void WriteTable(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table().NoBorder();
        foreach (var name in header)
            table.AddColumn(new TableColumn(new Text(name, new Style(decoration: Decoration.Bold))).NoWrap().PadLeft(0).PadRight(2));
        foreach (var row in rows)
            table.AddRow(row.Select(cell => new Text(cell) { Overflow = Overflow.Ellipsis }));
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(text),
            Ansi = Colours ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = Colours ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        console.Profile.Width = IsTerminal ? Width : PipeWidth;
        console.Write(table);
        foreach (var line in text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Output.WriteLine(line.TrimEnd());
    }

    /// <summary>A person can be asked.</summary>
    public bool Asks { get; init; }

    /// <summary>Asks for a secret, which is not shown; from what is no terminal, a line is read.</summary>
    /// <exception cref="CommandFailedException">There is none.</exception>
    public string AskSecret(string question)
    {
        if (!Asks)
            return Input.ReadLine() is { Length: > 0 } line ? line : throw new CommandFailedException($"{question}: nobody can be asked, and standard input is empty. Give it as a line on standard input.");
        Error.Write($"{question}: ");
        var typed = new System.Text.StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
                typed.Length = Math.Max(0, typed.Length - 1);
            else if (!char.IsControl(key.KeyChar))
                typed.Append(key.KeyChar);
        }
        Error.WriteLine();
        return typed.Length > 0 ? typed.ToString() : throw new CommandFailedException("nothing was typed.");
    }

    /// <summary>Asks for a new secret; twice, because it is not shown. What was piped in was not mistyped.</summary>
    /// <exception cref="CommandFailedException">There is none, or the two differ.</exception>
    public string AskNewSecret(string question)
    {
        var secret = AskSecret(question);
        return !Asks || AskSecret("Once more") == secret ? secret : throw new CommandFailedException("the two are not the same: nothing was changed.");
    }

    public string Dim(string text) => Colours ? $"\e[2m{text}\e[0m" : text;

    public string Red(string text) => Colours ? $"\e[31m{text}\e[0m" : text;

    public string Green(string text) => Colours ? $"\e[32m{text}\e[0m" : text;

    /// <summary>Breaks a text between words so that it fits beside an indent.</summary>
    public IEnumerable<string> Wrap(string text, int indent)
    {
        var width = Math.Max(20, Width - indent);
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = word;
            }
            else
            {
                line = line.Length == 0 ? word : $"{line} {word}";
            }
        }
        yield return line;
    }
}
