using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Provisioner.Lab.Harness;

/// <summary>A program the lab started: its output is kept line by line, and it never outlives the lab.</summary>
internal sealed partial class LabProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly Lock gate = new();
    private readonly List<string> lines = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool disposed;

    private LabProcess(Process process, string command)
    {
        this.process = process;
        Command = command;
    }

    public string Command { get; }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>What it wrote so far, standard output and error in the order they came.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (gate)
                return [.. lines];
        }
    }

    /// <summary>Starts a program; its standard input is at its end at once.</summary>
    public static LabProcess Start(string file, params IEnumerable<string> arguments)
    {
        var child = new Process { StartInfo = StartInfo(file, arguments), EnableRaisingEvents = true };
        var started = new LabProcess(child, Describe(child.StartInfo));
        child.OutputDataReceived += (_, e) => started.Add(e.Data);
        child.ErrorDataReceived += (_, e) => started.Add(e.Data);
        child.Start();
        var id = child.Id;
        Leftovers.Own(id);
        // The number may be another process's soon after.
        child.Exited += (_, _) => Leftovers.Disown(id);
        child.StandardInput.Close();
        child.BeginOutputReadLine();
        child.BeginErrorReadLine();
        return started;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="LabException">It did not end within the limit (one minute when not given) and was killed.</exception>
    public static async Task<CommandResult> RunAsync(string file, IEnumerable<string> arguments, TimeSpan? limit = null, string? input = null)
    {
        using var child = new Process { StartInfo = StartInfo(file, arguments) };
        var command = Describe(child.StartInfo);
        child.Start();
        Leftovers.Own(child.Id);
        using var timeout = new CancellationTokenSource(limit ?? TimeSpan.FromMinutes(1));
        try
        {
            var output = child.StandardOutput.ReadToEndAsync(timeout.Token);
            var error = child.StandardError.ReadToEndAsync(timeout.Token);
            if (input is not null)
                await child.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            child.StandardInput.Close();
            await child.WaitForExitAsync(timeout.Token);
            return new CommandResult(command, child.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            child.Kill(entireProcessTree: true);
            throw new LabException($"'{command}' did not end within {limit ?? TimeSpan.FromMinutes(1)} and was killed.");
        }
        finally
        {
            Leftovers.Disown(child.Id);
        }
    }

    /// <summary>Waits until it has written a line that contains the text.</summary>
    /// <exception cref="LabException">It ended, or the limit passed, first; the message holds its last lines.</exception>
    public async Task<string> WaitForLineAsync(string text, TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (lines.Find(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
                    return found;
                next = changed.Task;
            }
            if (HasExited)
                throw new LabException($"'{Command}' ended with exit code {process.ExitCode} before it wrote '{text}':\n{Tail()}");
            try
            {
                // An exit without a last word raises no line: look again every so often.
                await Task.WhenAny(next, Task.Delay(200, timeout.Token));
                timeout.Token.ThrowIfCancellationRequested();
            }
            catch (OperationCanceledException)
            {
                throw new LabException($"'{Command}' did not write '{text}' within {limit}:\n{Tail()}");
            }
        }
    }

    /// <summary>Waits for its end and gives its exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            throw new LabException($"'{Command}' did not end within {limit}:\n{Tail()}");
        }
        return process.ExitCode;
    }

    /// <summary>Its last lines, for a message.</summary>
    public string Tail(int count = 40) => string.Join('\n', Lines.TakeLast(count));

    /// <summary>Asks it to end (SIGTERM), and after the limit (five seconds when not given) ends it.</summary>
    /// <returns>Its exit code; 137 when it had to be killed.</returns>
    public async Task<int> StopAsync(TimeSpan? limit = null)
    {
        if (!process.HasExited)
        {
            const int SigTerm = 15;
            Kill(process.Id, SigTerm);
            using var timeout = new CancellationTokenSource(limit ?? TimeSpan.FromSeconds(5));
            try
            {
                await process.WaitForExitAsync(timeout.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
        Leftovers.Disown(process.Id);
        return process.ExitCode;
    }

    /// <summary>Ends it at once (SIGKILL), unless it has ended or was disposed of.</summary>
    public void Kill()
    {
        if (!disposed && !process.HasExited)
            process.Kill(entireProcessTree: true);
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed)
            return;
        disposed = true;
        await StopAsync();
        process.Dispose();
    }

    private void Add(string? line)
    {
        if (line is null)
            return;
        TaskCompletionSource waiting;
        lock (gate)
        {
            lines.Add(line);
            waiting = changed;
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        waiting.SetResult();
    }

    private static ProcessStartInfo StartInfo(string file, IEnumerable<string> arguments) => new(file, arguments)
    {
        UseShellExecute = false,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    private static string Describe(ProcessStartInfo start) =>
        string.Join(' ', [Path.GetFileName(start.FileName), .. start.ArgumentList.Select(a => a.Contains(' ', StringComparison.Ordinal) ? $"'{a}'" : a)]);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
