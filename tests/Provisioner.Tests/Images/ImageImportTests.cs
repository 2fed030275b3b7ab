using Microsoft.Extensions.DependencyInjection;
using Provisioner.Images;
using Provisioner.Protocols.Pe;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Images;

public sealed class ImageImportTests
{
    [Fact]
    public async Task Imports_registers_and_serves()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var (status, body) = await ImportAsync(appliance, "debian-12", BootFiles.Tar(BootFiles.Debian()));
        Assert.Equal(201, status);
        Assert.Equal("x86_64", body["spec"]!["architecture"]!.ToString());
        var image = appliance.Snapshot.Images["debian-12"];
        Assert.Equal(BootFiles.Debian().Length, image.Status.Files.Length);
        var store = appliance.Services.GetRequiredService<ImageStore>();
        var kernel = image.File("debian-installer/amd64/linux")!;
        Assert.Equal(BootFiles.BzImage(), await File.ReadAllBytesAsync(store.PathOf(image, kernel)));
        using var http = new HttpClient();
        Assert.Equal(BootFiles.BzImage(), await http.GetByteArrayAsync($"http://127.0.0.1:{appliance.BootPort}/images/debian-12/debian-installer/amd64/linux"));
    }

    [Fact]
    public async Task A_new_import_replaces_all_files_and_open_ones_are_read_to_their_end()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage()), ("old", [1, 2, 3])));
        var store = appliance.Services.GetRequiredService<ImageStore>();
        var before = appliance.Snapshot.Images["i"];
        await using var open = File.OpenRead(store.PathOf(before, before.File("old")!));
        await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage()), ("new", [4])));
        var after = appliance.Snapshot.Images["i"];
        Assert.Equal(["linux", "new"], after.Status.Files.Select(f => f.Path));
        Assert.False(Directory.Exists(store.DirectoryOf(before)));
        var content = new byte[3];
        await open.ReadExactlyAsync(content);
        Assert.Equal([1, 2, 3], content);
        Assert.Single(Directory.GetDirectories(Path.Combine(store.Root, "i")));
    }

    [Fact]
    public async Task A_refused_import_leaves_nothing_behind_and_the_image_as_it_was()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage())));
        var before = appliance.Snapshot.Images["i"];
        var (status, body) = await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage()), ("grubaa64.efi", BootFiles.Efi(PeMachine.Arm64))));
        Assert.Equal(422, status);
        Assert.Equal("grubaa64.efi", body["errors"]![0]!["value"]!.ToString());
        Assert.Equal((422, "a"), await RefusedValueAsync(appliance, "other", BootFiles.Tar(("a", [1]), ("a", [1]))));
        Assert.Same(before, appliance.Snapshot.Images["i"]);
        var root = appliance.Services.GetRequiredService<ImageStore>().Root;
        Assert.Equal([".staging", "i"], Directory.GetDirectories(root).Select(Path.GetFileName).Order());
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root, ".staging")));
        Assert.Single(Directory.GetDirectories(Path.Combine(root, "i")));
    }

    [Fact]
    public async Task A_large_refused_upload_hears_why()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var (status, body) = await ImportAsync(appliance, "i", BootFiles.Tar(("../evil", [1]), ("big", new byte[64 << 20])));
        Assert.Equal(422, status);
        Assert.Contains("leaves the image's directory", body["detail"]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_whose_host_would_no_longer_fit_is_refused_and_removed_from_disk()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await ImportAsync(appliance, "debian-12", BootFiles.Tar(BootFiles.Debian()));
        Assert.Equal(200, (await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}")).Status);
        var (status, _) = await ImportAsync(appliance, "debian-12", BootFiles.Tar(("linux", BootFiles.Arm64Image())), "?architecture=aarch64&kernel=linux&initrd=linux");
        Assert.NotEqual(201, status);
        Assert.Single(Directory.GetDirectories(Path.Combine(appliance.Services.GetRequiredService<ImageStore>().Root, "debian-12")));
    }

    [Fact]
    public async Task Names_and_parameters_are_checked()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var (status, body) = await ImportAsync(appliance, "Not%20A%20Name", BootFiles.Tar(("linux", BootFiles.BzImage())), "?architecture=sparc&colour=red");
        Assert.Equal(422, status);
        Assert.Equal(["name", "architecture", "colour"], body["errors"]!.AsArray().Select(e => e!["key"]!.ToString()));
        (status, body) = await ImportAsync(appliance, "huge", BootFiles.Tar(("linux", BootFiles.BzImage())), "?size=9223372036854775807");
        Assert.Equal(422, status);
        Assert.Contains("are free where the data is kept", body["detail"]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sender_that_goes_away_leaves_nothing()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var root = appliance.Services.GetRequiredService<ImageStore>().Root;
        using (var gone = new CancellationTokenSource())
        {
            var sending = ImportAsync(appliance, "i", new EndlessTar(), cancellation: gone.Token);
            while (!Directory.Exists(Path.Combine(root, ".staging")) || Directory.GetFiles(Path.Combine(root, ".staging"), "*", SearchOption.AllDirectories).Length == 0)
                await Task.Delay(10);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        }
        for (var i = 0; i < 200 && Directory.GetFileSystemEntries(Path.Combine(root, ".staging")).Length > 0; i++)
            await Task.Delay(25);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root, ".staging")));
        Assert.Empty(appliance.Snapshot.Images);
    }

    [Fact]
    public async Task What_a_killed_import_left_is_removed_at_the_start()
    {
        using var directory = new TemporaryDirectory();
        string root;
        string generation;
        await using (var first = await RunningAppliance.StartAsync(directory))
        {
            await ImportAsync(first, "i", BootFiles.Tar(("linux", BootFiles.BzImage())));
            root = first.Services.GetRequiredService<ImageStore>().Root;
            generation = first.Snapshot.Images["i"].Status.Generation!;
        }
        Directory.CreateDirectory(Path.Combine(root, ".staging", "half"));
        Directory.CreateDirectory(Path.Combine(root, "i", "20200101T000000Z-00000000"));
        Directory.CreateDirectory(Path.Combine(root, "foreign", "x"));
        await using var second = await RunningAppliance.StartAsync(directory);
        Assert.False(Directory.Exists(Path.Combine(root, ".staging", "half")));
        Assert.Equal([generation], Directory.GetDirectories(Path.Combine(root, "i")).Select(Path.GetFileName));
        Assert.True(Directory.Exists(Path.Combine(root, "foreign")));
        Assert.Equal(generation, second.Snapshot.Images["i"].Status.Generation);
    }

    [Fact]
    public async Task Verify_names_every_difference()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage()), ("a", [1, 2]), ("b", [1, 2]), ("c", [1, 2])));
        Assert.Contains("image/i is as imported: 4 files", (await appliance.RunAsync("image", "verify")).Succeeded(), StringComparison.Ordinal);
        var directory = appliance.Services.GetRequiredService<ImageStore>().DirectoryOf(appliance.Snapshot.Images["i"])!;
        File.WriteAllBytes(Path.Combine(directory, "a"), [1, 3]);
        File.WriteAllBytes(Path.Combine(directory, "b"), [1]);
        File.Delete(Path.Combine(directory, "c"));
        File.WriteAllBytes(Path.Combine(directory, "d"), [1]);
        var outcome = await appliance.RunAsync("image", "verify", "i");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("'a' has SHA-256 ", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("'b' has 1 bytes instead of 2", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("'c' is missing", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("'d' was not imported and is never served", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("4 files are not as imported", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Deleting_an_image_removes_its_files()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await ImportAsync(appliance, "i", BootFiles.Tar(("linux", BootFiles.BzImage())));
        (await appliance.RunAsync("delete", "image", "i")).Succeeded();
        Assert.False(Directory.Exists(Path.Combine(appliance.Services.GetRequiredService<ImageStore>().Root, "i")));
        Assert.Equal(404, (int)(await appliance.Http.GetAsync("images/i")).StatusCode);
    }

    private static async Task<(int Status, string Value)> RefusedValueAsync(RunningAppliance appliance, string name, Stream tar)
    {
        var (status, body) = await ImportAsync(appliance, name, tar);
        return (status, body["errors"]![0]!["value"]!.ToString());
    }

    private static async Task<(int Status, System.Text.Json.Nodes.JsonObject Body)> ImportAsync(
        RunningAppliance appliance, string name, Stream tar, string query = "", CancellationToken cancellation = default)
    {
        using var response = await appliance.Http.PostAsync($"images/{name}/import{query}", new StreamContent(tar), cancellation);
        return ((int)response.StatusCode, System.Text.Json.Nodes.JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellation))!.AsObject());
    }

    /// <summary>One file that never ends, a little at a time.</summary>
    private sealed class EndlessTar : Stream
    {
        private readonly MemoryStream start = new(BootFiles.Tar(("linux", new byte[1 << 20])).ToArray()[..4096]);

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = start.Read(buffer.Span);
            if (read > 0)
                return read;
            await Task.Delay(20, cancellationToken);
            buffer.Span[0] = 0;
            return 1;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
