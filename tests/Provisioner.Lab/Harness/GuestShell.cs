using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Provisioner.Lab.Harness;

/// <summary>
/// Runs commands in a virtual server that booted the diskless image, as root, by a serial line of its own (virtio): the console stays the
/// console's, and it works when the network does not.
/// </summary>
internal sealed class GuestShell(string socketFile) : IAsyncDisposable
{
    /// <summary>The line's name in the server: <c>/dev/virtio-ports/…</c>.</summary>
    public const string Port = "lab.shell";

    /// <summary>
    /// The other end. One line a command, its number and itself in base64; one line back, with its number, its exit code, its output and its
    /// errors, both in base64 behind a letter because they may be empty. A command inherits nothing of the line, or what it leaves
    /// running would keep it.
    /// </summary>
    public const string Program = $$"""
        #!/bin/bash
        port=/dev/virtio-ports/{{Port}}
        cd "$(mktemp -d)"
        while :; do
          if [ -e "$port" ] && exec 3<>"$port"; then
            while read -r number command <&3; do
              base64 -d <<<"$command" >command
              bash command </dev/null >output 2>errors 3>&-
              code=$?
              printf '%s %s o%s e%s\n' "$number" "$code" "$(base64 -w 0 output)" "$(base64 -w 0 errors)" >&3
            done
            exec 3>&-
          fi
          sleep 0.2
        done

        """;

    /// <summary>The unit that runs the other end.</summary>
    /// <param name="program">Where it is.</param>
    public static string Unit(string program) => $"""
        [Unit]
        Description=Commands from the lab

        [Service]
        ExecStart={program}
        Environment=HOME=/root

        """;

    private readonly SemaphoreSlim turn = new(1, 1);
    private Socket? socket;
    private StreamReader? answers;
    private int commands;

    /// <summary>Adds the other end to what a server boots.</summary>
    public static void AddTo(DisklessOverlay overlay) => overlay
        .AddProgram("/usr/local/libexec/lab-shell", Program)
        .AddUnit("lab-shell.service", Unit("/usr/local/libexec/lab-shell"), wantedBy: "multi-user.target");

    /// <summary>Runs a bash script to its end. One that is given before the server is up waits until it is.</summary>
    /// <exception cref="LabException">It did not end within the limit. Nothing more can be run then.</exception>
    public async Task<CommandResult> RunAsync(string script, TimeSpan limit)
    {
        await turn.WaitAsync();
        try
        {
            using var timeout = new CancellationTokenSource(limit);
            try
            {
                return await RunAsync(script, timeout.Token);
            }
            catch (OperationCanceledException)
            {
                throw new LabException($"The server did not run this to its end within {limit.TotalSeconds:F0} s:\n{script}");
            }
            catch (IOException)
            {
                throw new LabException($"The server went off while it ran this:\n{script}");
            }
        }
        finally
        {
            turn.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        answers?.Dispose();
        socket?.Dispose();
        turn.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<CommandResult> RunAsync(string script, CancellationToken cancellation)
    {
        if (socket is null)
        {
            socket = await ConnectAsync(cancellation);
            answers = new StreamReader(new NetworkStream(socket), Encoding.ASCII);
        }
        var number = (++commands).ToString(CultureInfo.InvariantCulture);
        var line = $"{number} {Convert.ToBase64String(Encoding.UTF8.GetBytes(script.ReplaceLineEndings("\n")))}\n";
        ReadOnlyMemory<byte> left = Encoding.ASCII.GetBytes(line);
        while (!left.IsEmpty)
            left = left[await socket.SendAsync(left, cancellation)..];
        while (await answers!.ReadLineAsync(cancellation) is { } answer)
        {
            if (answer.Split(' ') is [var of, var code, ['o', .. var output], ['e', .. var errors]] && of == number)
                return new CommandResult(script, int.Parse(code, CultureInfo.InvariantCulture), Decode(output), Decode(errors));
        }
        throw new IOException("The line was closed.");
    }

    /// <summary>The emulator listens soon after it was started.</summary>
    private async Task<Socket> ConnectAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var connecting = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await connecting.ConnectAsync(new UnixDomainSocketEndPoint(socketFile), cancellation);
                return connecting;
            }
            catch (SocketException)
            {
                connecting.Dispose();
                await Task.Delay(100, cancellation);
            }
            catch (OperationCanceledException)
            {
                connecting.Dispose();
                throw;
            }
        }
    }

    private static string Decode(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));
}
