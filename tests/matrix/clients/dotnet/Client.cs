// The contract of ../README.md with HttpClient, for Mono and .NET: Client.exe [http2] [unverified].  Compiled for the framework that both have.
using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using System.Text;

static class Client {
    static string Body(int number) {
        string stream = number % 2 == 0 ? "" : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
        return "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" + stream + "}";
    }

    static void Ask(HttpClient client, int number, Version version) {
        var request = new HttpRequestMessage(HttpMethod.Post, "https://api.openai.com/v1/chat/completions") { Version = version };
        request.Headers.Add("Authorization", "Bearer " + Environment.GetEnvironmentVariable("OPENAI_API_KEY"));
        request.Content = new StringContent(Body(number), Encoding.UTF8, "application/json");
        using (var answer = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).Result) {
            answer.EnsureSuccessStatusCode();
            using (var reader = new StreamReader(answer.Content.ReadAsStreamAsync().Result))
                while (reader.ReadLineAsync().Result != null) { }
        }
    }

    static void Main(string[] arguments) {
        // Both load their TLS library when they first need some of it.
        new X509Certificate2(File.ReadAllBytes(Environment.GetEnvironmentVariable("SSL_CERT_FILE")));
        var handler = new HttpClientHandler();
        // Mono knows only the authorities of its own store.
        if (arguments.Contains("unverified")) handler.ServerCertificateCustomValidationCallback = (a, b, c, d) => true;
        var client = new HttpClient(handler);
        Console.WriteLine("ready");
        int calls = int.Parse(Console.ReadLine());
        for (int number = 0; number < calls; number++)
            Ask(client, number, arguments.Contains("http2") ? new Version(2, 0) : new Version(1, 1));
        Console.WriteLine("done");
        Console.ReadLine();
    }
}
