using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Certificates;
using Provisioner.Storage;

namespace Provisioner.Cli;

/// <summary><c>provisioner ca show | rotate | revoke | crl | csr | import | rebuild</c>.</summary>
internal static class AuthorityCommands
{
    private static readonly string[] Steps = [.. Enum.GetValues<RotationStep>().Select(step => Json.Word(step))];

    private static readonly string[] Algorithms = [.. CertificateFields.Algorithms.Select(a => a.Word)];

    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        new TeachingCommand("ca", "The authority that signs hosts' certificates, and is the trust anchor of IAM Roles Anywhere.",
            "provisioner ca show",
            "provisioner ca show --pem > anchor.pem     # what Roles Anywhere is to trust",
            "provisioner ca revoke web-1 --reason keyCompromise",
            "provisioner ca rotate                      # does the next step, says what comes after it")
        {
            Show(screen, connect), Rotate(screen, connect), Revoke(screen, connect), Crl(screen, connect), Csr(screen, connect), Import(screen, connect), Rebuild(screen),
        };

    /// <summary>The reasons of a revocation.</summary>
    public static Option<string> Reason(RevocationReason usual)
    {
        var words = Enum.GetValues<RevocationReason>().Select(reason => Json.Word(reason)).ToArray();
        var option = new Option<string>("--reason") { Description = $"Why: {string.Join(", ", words)}. A key that was revoked for keyCompromise is never certified again.", HelpName = "WORD", DefaultValueFactory = _ => Json.Word(usual) };
        option.AcceptOnlyFromAmong(words);
        return option;
    }

    public static void WriteRevoked(Screen screen, JsonObject answer)
    {
        var revoked = answer["revoked"]!.AsArray().Select(c => c!.AsObject()).ToList();
        foreach (var certificate in revoked)
            screen.Output.WriteLine($"Certificate {certificate.At("serial")} of {certificate.At("host")} is revoked ({certificate.At("revokedBecause")}).");
        if (revoked.Count > 0)
        {
            screen.Output.WriteLine($"Revocation list {answer.At("crlNumber")} has it and is served. It is carried to the Clusters' trust anchors within");
            screen.Output.WriteLine("a minute, if the appliance has AWS credentials; a session that was given before lasts up to its end.");
        }
    }

    private static TeachingCommand Show(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var pem = new Option<bool>("--pem") { Description = "Only the certificates to trust, PEM." };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("show", "Say which authorities there are, what they do, and what comes next.",
            "provisioner ca show",
            "provisioner ca show --pem > anchor.pem")
        {
            pem, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var ca = await api.GetAsync("ca", cancellation);
            if (parsed.GetValue(pem))
            {
                foreach (var authority in ca["authorities"]!.AsArray().Select(a => a!.AsObject()).Where(a => a["certificate"] is not null))
                    screen.Output.WriteLine(authority.At("certificate"));
            }
            else if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(ca, parsed.GetValue(output)!);
            }
            else
            {
                Write(screen, ca);
            }
            return CommandLine.Done;
        });
        return command;
    }

    private static void Write(Screen screen, JsonObject ca)
    {
        if (ca.At("whyNotIssuing") is { Length: > 0 } whyNot)
        {
            foreach (var line in screen.Wrap($"No certificates are issued: {whyNot}.", 0))
                screen.Output.WriteLine(screen.Red(line));
        }
        foreach (var authority in ca["authorities"]!.AsArray().Select(a => a!.AsObject()))
        {
            screen.Output.WriteLine($"{authority.At("subject")}  {(authority.At("state") == "issuing" ? screen.Green("issuing") : authority.At("state"))}");
            void Line(string name, string value)
            {
                if (value.Length > 0)
                    screen.Output.WriteLine($"  {name,-12} {value}");
            }

            Line("id", authority.At("id"));
            Line("key", $"{authority.At("algorithm")}, kept in {(authority.At("keyStore") == "file" ? "an encrypted file" : "a PKCS#11 token")}");
            Line("good until", authority.At("notAfter").Length == 0 ? "it has no certificate yet" : $"{authority.At("notAfter")[..10]} ({Words.Age(authority.At("notAfter"), screen.Time)})");
            Line("fingerprint", authority.At("fingerprint") is { Length: 64 } hash ? $"SHA-256 {hash[..32]}" : "");
            if (authority.At("fingerprint").Length == 64)
                screen.Output.WriteLine($"  {"",-12} {"",7} {authority.At("fingerprint")[32..]}");
            Line("signed by", authority["chain"] is JsonArray chain ? $"another authority ({chain.Count} above it)" : authority["certificate"] is null ? "" : "itself");
            Line("hosts", authority.At("hosts"));
            if (authority["crl"] is JsonObject crl)
                Line("revoked", $"{crl.At("entries")}, on list {crl.At("number")}, {Words.Size(crl["bytes"]!.GetValue<long>())} of the 300 kB Roles Anywhere takes");
            if (authority["move"] is JsonObject move)
                Line("moving", move.At("pausedAt").Length > 0 ? "paused: provisioner ca rotate --step resume" : $"until {move.At("until")}");
        }
        if (ca["authorities"]!.AsArray().Count == 0)
            screen.Output.WriteLine("There is no authority yet.");
        if (ca.At("retired") is not ("0" or ""))
            screen.Output.WriteLine(screen.Dim($"{ca.At("retired")} retired: provisioner get authorities"));
    }

    private static TeachingCommand Rotate(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var step = new Option<string?>("--step") { Description = "Which step; without it, the one that comes next. A step that is done already changes nothing.", HelpName = string.Join('|', Steps) };
        step.AcceptOnlyFromAmong(Steps);
        var over = ResourceCommands.Duration("--over", "With switch or resume: the time over which hosts move; 14d unless said otherwise, 0s for all at once.",
            "14d", "a duration such as 14d or 2h");
        var algorithm = new Option<string?>("--algorithm") { Description = "With prepare: the next authority's key.", HelpName = string.Join('|', Algorithms) };
        algorithm.AcceptOnlyFromAmong(Algorithms);
        var force = new Option<bool>("--force") { Description = "With retire: though hosts still depend on it. They are shut out and have to enrol anew." };
        var command = new TeachingCommand("rotate", "Change to a new authority, step by step; both are live until the last host has moved.",
            "provisioner ca rotate                  # prepare: make the next authority; make it known to Roles Anywhere",
            "provisioner ca rotate --over 14d       # switch: it issues from now on, hosts renew within 14 days",
            "provisioner ca rotate --step pause     # stop moving hosts; --step resume goes on",
            "provisioner ca rotate                  # retire: when no host depends on the previous one any more",
            "provisioner ca rotate --step abort     # give up a prepared authority")
        {
            step, over, algorithm, force,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject();
            foreach (var (key, value) in new[] { ("step", parsed.GetValue(step)), ("over", parsed.GetValue(over)), ("algorithm", parsed.GetValue(algorithm)) })
            {
                if (value is not null)
                    body[key] = value;
            }
            if (parsed.GetValue(force))
                body["force"] = true;
            var ca = await api.PostAsync("ca/rotate", body, cancellation);
            foreach (var line in screen.Wrap(Told(ca), 0))
                screen.Output.WriteLine(line);
            screen.Output.WriteLine();
            Write(screen, ca);
            return CommandLine.Done;
        });
        return command;
    }

    private static string Told(JsonObject ca) => ca.At("did") switch
    {
        "prepare" => "The next authority is ready and signs nothing yet. Add its certificate to the trust anchor of IAM Roles Anywhere beside the present one "
            + "(provisioner ca show --pem has both); then 'provisioner ca rotate' switches to it.",
        "switch" => $"The new authority signs from now on. {ca.At("hostsToMove")} {(ca.At("hostsToMove") == "1" ? "host renews" : "hosts renew")} early, one after another; when none is left, 'provisioner ca rotate' retires the previous one.",
        "pause" => "No more hosts are asked to move. 'provisioner ca rotate --step resume' goes on.",
        "resume" => "Hosts are asked to move again.",
        "retire" => "The previous authority is retired. Take its certificate out of the trust anchor of IAM Roles Anywhere.",
        "abort" => "Given up: the present authority goes on alone.",
        _ => $"Hosts are moving: {ca.At("hostsToMove")} {(ca.At("hostsToMove") == "1" ? "is" : "are")} left. There is nothing to do until then.",
    };

    private static TeachingCommand Revoke(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var which = new Argument<string>("HOST|SERIAL") { Description = "A host, for all its good certificates, or the serial of one." };
        var reason = Reason(RevocationReason.Unspecified);
        var command = new TeachingCommand("revoke", "Revoke a host's certificates. The host can enrol again with a new token; 'retire' takes it out of service.",
            "provisioner ca revoke web-1 --reason keyCompromise",
            "provisioner ca revoke 3f0c9a…")
        {
            which, reason,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(which)!;
            var answer = await api.PostAsync($"certificates/{ApiClient.Escape(name)}/revoke", new JsonObject { ["reason"] = parsed.GetValue(reason) }, cancellation);
            if (answer["revoked"]!.AsArray().Count == 0)
                screen.Output.WriteLine($"{name} has no certificate that is still good: nothing was changed.");
            WriteRevoked(screen, answer);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Crl(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var authority = new Option<string?>("--authority") { Description = "Whose, by its id; the issuing one's unless said otherwise.", HelpName = "ID" };
        var refresh = new Option<bool>("--refresh") { Description = "Make a new one first. It is made by itself after each revocation and each day." };
        var command = new TeachingCommand("crl", "Print the revocation list, PEM, as IAM Roles Anywhere imports it.",
            "provisioner ca crl > crl.pem",
            "provisioner ca crl | openssl crl -noout -text")
        {
            authority, refresh,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = new List<string> { $"refresh={(parsed.GetValue(refresh) ? "true" : "false")}" };
            if (parsed.GetValue(authority) is { } id)
                query.Add($"authority={ApiClient.Escape(id)}");
            screen.Output.Write(await api.PostTextAsync($"ca/crl?{string.Join('&', query)}", null, cancellation));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Csr(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var next = new Option<bool>("--next") { Description = "For a new key, the next authority's; without it, for the present one's." };
        var algorithm = new Option<string?>("--algorithm") { Description = "With --next: the key.", HelpName = string.Join('|', Algorithms) };
        algorithm.AcceptOnlyFromAmong(Algorithms);
        var command = new TeachingCommand("csr", "Print a certificate request (PKCS#10), for a corporate authority to sign this one.",
            "provisioner ca csr > request.pem",
            "provisioner ca import signed-with-chain.pem")
        {
            next, algorithm,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = new List<string> { $"next={(parsed.GetValue(next) ? "true" : "false")}" };
            if (parsed.GetValue(algorithm) is { } word)
                query.Add($"algorithm={word}");
            screen.Output.Write(await api.PostTextAsync($"ca/request?{string.Join('&', query)}", null, cancellation));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Import(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var file = new Argument<string>("FILE") { Description = "The certificate and those above it up to the root, PEM, in any order; - reads standard input." };
        var command = new TeachingCommand("import", "Take the certificate that a corporate authority made from 'ca csr'.",
            "provisioner ca import signed-with-chain.pem")
        {
            file,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var text = await ResourceCommands.ReadAsync(screen, parsed.GetValue(file)!, cancellation);
            var imported = await api.PostAsync("ca/import", new StringContent(text, Encoding.UTF8, "application/x-pem-file"), cancellation);
            screen.Output.WriteLine($"{imported.At("subject")} is {imported.At("state")}, signed by another authority, good until {imported.At("notAfter")}.");
            if (imported.At("state") == "next")
                screen.Output.WriteLine("'provisioner ca rotate' switches to it.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Rebuild(Screen screen)
    {
        var data = new Option<string?>("--data") { Description = $"The data directory; {Privileges.DefaultDataDirectory} unless said otherwise.", HelpName = "DIR" };
        var journal = new Option<string?>("--journal") { Description = "The certificates' journal, where it is not in the data directory.", HelpName = "FILE" };
        var command = new TeachingCommand("rebuild", "Fill a new database with all authorities and certificates from their journal alone, when the database is lost and there is no backup. The service must not run. Hosts, profiles and networks are applied again afterwards; certificates belong to hosts by their names.",
            "provisioner ca rebuild",
            "provisioner ca rebuild --data /srv/new --journal /mnt/certificates.journal")
        {
            data, journal,
        };
        command.SetAction(parsed =>
        {
            var directory = Path.GetFullPath(parsed.GetValue(data) ?? Privileges.DefaultDataDirectory);
            try
            {
                var rebuilt = RebuiltRecords.From(directory, parsed.GetValue(journal) is { } file ? Path.GetFullPath(file) : null, screen.Time.GetUtcNow());
                screen.Output.WriteLine($"{directory}: {rebuilt.Authorities.Count} {(rebuilt.Authorities.Count == 1 ? "authority" : "authorities")}, {rebuilt.Certificates} {(rebuilt.Certificates == 1 ? "certificate" : "certificates")}, {rebuilt.Revoked} of them revoked");
                foreach (var authority in rebuilt.Authorities)
                    screen.Output.WriteLine($"  {authority.Id}  {Json.Word(authority.State)}, {(rebuilt.WithoutKey.Contains(authority.Id, StringComparer.Ordinal) ? screen.Red($"its key is missing: ca/keys/{authority.Id}.key") : $"key in {(authority.KeyStore == "file" ? "an encrypted file" : "a PKCS#11 token")}")}");
                if (rebuilt.Damaged is { } damaged)
                    screen.Output.WriteLine($"  What was there is {damaged}.");
                if (rebuilt.WithoutKey.Count > 0)
                {
                    foreach (var line in screen.Wrap("Without its key an authority can sign nothing more. Bring ca/keys and ca/passphrase back from a backup before the service starts.", 2))
                        screen.Output.WriteLine("  " + line);
                }
                return CommandLine.Done;
            }
            catch (StoreException e)
            {
                throw new CommandFailedException($"{e.Message}.");
            }
        });
        return command;
    }
}
