using System.Net.Sockets;
using System.Text;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Peers;

/// <summary>U-Boot on a virtual arm64 board, at its command line: another firmware than EDK2, with a TFTP client of its own.</summary>
internal sealed class UBoot : IAsyncDisposable
{
    public const string Program = "qemu-system-aarch64";
    public const string Image = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

    private const string Prompt = "=> ";

    private readonly LabProcess machine;
    private readonly Socket console = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private UBoot(LabProcess machine) => this.machine = machine;

    /// <summary>Powers it on, stops it before it boots by itself, and waits for its prompt.</summary>
    public static async Task<UBoot> StartAsync(LabNetwork network, string macAddress, TimeSpan limit)
    {
        var tap = await network.Appliance.AddTapAsync(LabNetwork.Bridge);
        var path = Path.Combine(network.Directory, "u-boot.console");
        var board = new UBoot(network.Appliance.Start(Program,
            "-M", "virt", "-accel", "tcg", "-cpu", "cortex-a57", "-m", "256", "-bios", Image, "-display", "none", "-monitor", "none",
            "-serial", $"unix:{path},server=on,wait=on",
            "-netdev", $"tap,id=n0,ifname={tap},script=no,downscript=no", "-device", $"virtio-net-pci,netdev=n0,mac={macAddress},romfile="));
        try
        {
            // The board starts when somebody listens to its console.
            for (var i = 0; !board.console.Connected; i++)
            {
                try
                {
                    await board.console.ConnectAsync(new UnixDomainSocketEndPoint(path));
                }
                catch (SocketException) when (i < 100)
                {
                    await Task.Delay(100);
                }
            }
            await board.ReadUntilAsync("Hit any key to stop autoboot", limit);
            await board.console.SendAsync("\n"u8.ToArray());
            await board.ReadUntilAsync(Prompt, limit);
            return board;
        }
        catch
        {
            await board.DisposeAsync();
            throw;
        }
    }

    /// <summary>Types a command and gives what it wrote.</summary>
    public async Task<string> DoAsync(string command, TimeSpan limit)
    {
        await console.SendAsync(Encoding.ASCII.GetBytes(command + "\n"));
        return await ReadUntilAsync("\n" + Prompt, limit);
    }

    public async ValueTask DisposeAsync()
    {
        console.Dispose();
        await machine.DisposeAsync();
    }

    private async Task<string> ReadUntilAsync(string text, TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit);
        var read = new StringBuilder();
        var buffer = new byte[4096];
        while (!read.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count;
            try
            {
                count = await console.ReceiveAsync(buffer, end.Token);
            }
            catch (OperationCanceledException)
            {
                throw new LabException($"U-Boot did not write '{text}' within {limit.TotalSeconds:F0} s, but:\n{read}");
            }
            if (count == 0)
                throw new LabException($"U-Boot's console closed before '{text}':\n{read}\n{machine.Tail()}");
            read.Append(Encoding.Latin1.GetString(buffer, 0, count).Replace("\r", "", StringComparison.Ordinal));
        }
        return read.ToString();
    }
}
