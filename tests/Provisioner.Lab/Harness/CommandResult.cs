namespace Provisioner.Lab.Harness;

/// <summary>What a program that ended said.</summary>
internal sealed record CommandResult(string Command, int ExitCode, string Output, string Error)
{
    /// <summary>Output and error together, for programs that are not strict about which is which.</summary>
    public string Text => Output + Error;

    /// <summary>Itself, or an exception with everything the program said.</summary>
    public CommandResult OrThrow() => ExitCode == 0
        ? this
        : throw new LabException($"'{Command}' ended with exit code {ExitCode}:\n{Text.Trim()}");
}

/// <summary>The lab itself could not do what it was asked, with everything needed to see why.</summary>
internal sealed class LabException(string message) : Exception(message);
