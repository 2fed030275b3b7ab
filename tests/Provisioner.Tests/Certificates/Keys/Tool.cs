using System.Diagnostics;

namespace Provisioner.Tests.Certificates.Keys;

/// <summary>A real program that judges what the service made, or makes what it must read.</summary>
internal static class Tool
{
    /// <summary>Set by test.sh, which installs everything: what is missing then is a failure and not a reason to skip.</summary>
    private const string RequiredVariable = "PROVISIONER_LAB_REQUIRED";

    /// <summary>Runs it, and fails the test when it fails.</summary>
    public static string Run(string program, params string[] arguments)
    {
        var (code, output) = Try(program, null, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <returns>Its exit code, and what it wrote to both its outputs.</returns>
    public static (int Code, string Output) Try(string program, IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        Try(program, environment, "", arguments);

    /// <param name="input">Read by it: secrets, which an argument would show to everybody.</param>
    public static (int Code, string Output) Try(string program, IReadOnlyDictionary<string, string>? environment, string input, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close(); // One that asks for more gets no answer, and fails instead of waiting.
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromSeconds(60)))
        {
            process.Kill();
            return (-1, "does not end");
        }
        return (process.ExitCode, output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult());
    }

    /// <summary>Skips the running test when a file that it needs, or a program, is not installed.</summary>
    public static void SkipWithout(params string[] files)
    {
        var missing = files.Where(file => !File.Exists(file)).ToList();
        if (missing.Count == 0)
            return;
        var said = $"not installed here: {string.Join(", ", missing)} (./test.sh installs what it needs)";
        if (Environment.GetEnvironmentVariable(RequiredVariable) is { Length: > 0 })
            Assert.Fail(said);
        Assert.Skip(said);
    }
}
