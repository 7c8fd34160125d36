#!/usr/bin/perl
# Every file of conf-examples/ does in a real nginx what its first lines say; a file that nothing here tries is a failure.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $dir = "$FindBin::Bin/../conf-examples";
my $acme = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
my $badge = { badge => 'B-17', clearance => 3, sites => [{ value => 'Rome', since => '2026-01-01T00:00:00Z', primary => JSON::PP::true }] };
my $ada = { schemas => [$Scim::Check::user_urn, $acme], userName => 'ada', $acme => $badge };
my $users = '/scim/v2/Users';
my $t;

# An nginx beside copies of all examples, so that they find each other. Only what is a machine's own is changed: paths, and
# addresses, which become %%PORT1%%, … in their order; in a whole configuration the first is %%PORT%%.
sub example {
    my ($text, %part) = @_;
    my $files = delete $part{files};
    if ($t) {
        ok $t->quit, 'nginx ends';
        is join('', $t->complaints), '', 'without complaints';
    }
    $t = Scim->new(%part);
    $t->write_file($_, slurp($_)) for names();
    $files->($t->{dir}) if $files;
    my $n = $text =~ /^http \{/m ? 0 : 1;
    $text =~ s/^(?:load_module|user) .*$//mg;
    $text =~ s{/var/lib/nginx/scim}{$t->{dir}/store}g;
    $text =~ s{/var/log/nginx|/etc/nginx/scim|/etc/nginx}{$t->{dir}}g;
    $text =~ s/^( *listen [^;]*) http2;/$1 %%HTTP2%%;/mg;    # a comment says what newer versions of nginx want there
    my %port;
    $text =~ s/(?:(?<=listen )443|127\.0\.0\.1:\d+)/$port{$&} \/\/= '127.0.0.1:%%PORT' . $n++ . '%%'/ge;
    $text =~ s/^http \{/http { %%HTTP%%/m ? $t->conf("%%MAIN%%\n$text") : $t->conf(undef, http => $text);
    my ($exit, $said) = $t->check;
    ok $exit == 0 && $said !~ /\[(?:warn|emerg)\]/, 'nginx -t' or diag $said;
    return $t->start;
}

sub names { opendir my $d, $dir or die "$dir: $!"; return sort grep !/^\./, readdir $d }
sub slurp { open my $f, '<', "$dir/$_[0]" or die "$_[0]: $!"; local $/; return scalar <$f> }

# The lines of an access log that is written as log-format.conf says, once one of them matches.
sub logged {
    my ($file, $pattern) = @_;
    my @lines;
    $t->wait_for(sub { @lines = split /\n/, Scim::_slurp("$t->{dir}/$file"); grep /$pattern/, @lines });
    return map { eval { $Scim::json->decode($_) } // { bad => $_ } } @lines;
}

# The URL that an administrator is given is answered as such, and with a slash behind it; what has lost its slash is told so
# (in a location with a regular expression that is nobody's).
sub base_itself {
    my ($client, $prefix, $total, %headers) = @_;
    for my $path ("$prefix/scim/v2", "$prefix/scim/v2/") {
        is $client->request(GET => $path, headers => \%headers)->{json}{totalResults}, $total, "$path is answered";
    }
    is_error $client->request(GET => '/scim/v2Users', headers => \%headers), 404, '', qr/is a slash missing/, 'a lost slash is told'
        if !$prefix;
    return;
}

my %try = (
    'quickstart.conf' => sub {
        my $text = slurp('quickstart.conf');
        my @commands = $text =~ /^#\s+sudo scimctl (.*)/mg;
        example($text)->served($users, port => 1);
        my ($shown) = slurp('../README.md') =~ /^```nginx\n(.*?)^```/ms;
        is $shown, $text =~ s/^ *#.*\n//mgr =~ s/^\n+//r, 'the README shows it without its comments';
        is scalar @commands, 2, 'two commands';
        my ($exit, $token, $err) = $t->scimctl(split ' ', shift @commands);
        is $exit, 0, 'make a tenant' or diag $err;
        ($exit, $token, $err) = $t->scimctl(split ' ', shift @commands);
        is $exit, 0, 'and a token' or diag $err;
        ($token) = $token =~ /\b(scim_\S+)/;
        my $client = $t->client(port => 1, token => $token);
        my $r = $client->request(POST => $users, body => $Scim::json->encode(Scim::user('ada')) . ' ' x 2_000_000);
        is_user $r, 201, 'with it a user is created, by a large request, too';
        is_user $client->request(GET => "$users/$r->{json}{id}"), 200, 'and read';
        base_itself($client, '', 1);
        is $t->request(GET => $users, port => 1)->{status}, 401, 'without it nothing is';
        is_error $t->request(GET => '/Users', port => 1), 404, '', qr{^the SCIM base URL ends in /scim/v2 },
            'a base URL without /scim/v2 is told in JSON';
        ok -e "$t->{dir}/store/data.mdb", 'the store is where it was to be';
    },
    'log-format.conf' => sub {
        example('include log-format.conf; scim_store main %%DIR%%/store;',
            server => 'access_log %%DIR%%/scim.log scim; location /scim/v2/ { scim main; }')->served($users);
        my $client = $t->client(token => $t->token($t->tenant('acme'), label => 'entra'));
        $client->request(POST => $users, json => Scim::user('ada'));
        my $r = $client->request(POST => $users, json => Scim::user('ada'), headers => { 'User-Agent' => 'a "quoted" name' });
        my @lines = logged('scim.log', qr/"status":409/);
        is scalar(grep $_->{bad}, @lines), 0, 'every line is JSON' or diag explain \@lines;
        my $last = $lines[-1];
        is_deeply [@$last{qw(status method uri tenant token operation type error agent client)}],
            [409, 'POST', $users, 'acme', 'entra', 'create', 'User', 'uniqueness', 'a "quoted" name', '127.0.0.1'],
            'it says what happened' or diag explain $last;
        is index($r->{json}{detail}, $last->{detail}), 0, 'in the words of the answer';
        like $r->{json}{detail}, qr/\Q$last->{request_id}/, 'with its request id';
    },
    'acme-user.json' => sub {
        my $schema = $Scim::json->decode(slurp('acme-user.json'));
        example('scim_store main %%DIR%%/store; scim_schema acme-user.json;', server => 'location /scim/v2/ { scim main; }')
            ->served($users);
        my $client = $t->client(token => $t->token($t->tenant('acme')));
        my $r = $client->request(GET => "/scim/v2/Schemas/$schema->{id}");
        is $r->{status}, 200, 'the schema is published';
        is_deeply [map "$_->{name} $_->{type}", @{ $r->{json}{attributes} }], [map "$_->{name} $_->{type}", @{ $schema->{attributes} }],
            'with its attributes';
        $r = $client->request(POST => $users, json => $ada);
        is_user $r, 201, 'a user with them';
        is_deeply $r->{json}{$acme}, $badge, 'shows them';
        is_error $client->request(POST => $users, json => { %$ada, userName => 'bob', $acme => { clearance => 'high' } }), 400,
            'invalidValue', qr/clearance/, 'a value of another type is refused';
    },
    'all-directives.conf' => sub {
        example(slurp('all-directives.conf'))->served($users);
        my $base = 'https://id.example.com';
        my $token = $t->token($t->tenant('acme'), label => 'entra');
        my $foreign = $t->token($t->tenant('globex'), label => 'okta');
        my $namesake = $t->token('globex', label => 'entra');
        my $client = $t->client(token => $token);
        my $r = $client->request(POST => $users, json => $ada);
        is_user $r, 201, 'a user of one tenant';
        is_deeply $r->{json}{$acme}, $badge, 'with the operator\'s schema';
        is $r->{headers}{location}, "$base/scim/v2/Users/$r->{json}{id}", 'at the public address';
        my $id = $r->{json}{id};
        base_itself($client, '', 1);
        base_itself($client, '/tenants/acme', 1);
        is $t->request(GET => '/scim/v2', port => 1)->{json}{totalResults}, 1, 'the application may ask there, too';
        $r = $client->request(GET => "/tenants/acme$users/$id");
        is_user $r, 200, 'and at the tenant\'s own';
        is $r->{headers}{location}, "$base/tenants/acme/scim/v2/Users/$id", 'which it then shows';
        is $client->request(GET => "/tenants/globex$users")->{status}, 403, 'another tenant\'s address is closed';
        is $client->request(GET => "/tenants/globex$users", token => $foreign)->{json}{totalResults}, 0, 'and has users of its own';
        is $t->request(GET => "$users/$id", port => 1)->{json}{userName}, 'ada', 'the application reads without a token';
        is $t->request(POST => $users, port => 1, json => Scim::user('bob'))->{status}, 403, 'and may not write';
        is_error $client->request(POST => $users, body => '{"a":' x 17 . '1' . '}' x 17), 400, 'invalidSyntax', qr/16/, 'depth is bounded';

        my @answers = $client->pipeline(map [GET => "$users/$id"], 1 .. 800);
        my %status;
        $status{ $_->{status} }++ for @answers;
        is join(' ', sort keys %status), '200 429', "a burst beyond the limit is 429 ($status{200} were not)";
        my ($limited) = grep $_->{status} == 429, @answers;
        is_error $limited, 429, '', qr/\w/, 'and says so in SCIM';
        like $limited->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'with Retry-After in seconds';
        is $t->request(GET => $users, token => $foreign)->{status}, 200, 'other tokens are served';
        is $t->request(GET => $users, token => $namesake)->{status}, 200, 'one of that label that is another tenant\'s, too';
        my @lines = logged('scim.log', qr/"token":"okta".*"status":200|"status":200.*"token":"okta"/);
        is join(' ', sort keys %{ { map { $_->{token} => 1 } grep length $_->{token}, @lines } }), 'entra okta', 'the log names the tokens';
    },
    'production-tls.conf' => sub {
        my $text = slurp('production-tls.conf');
        # rates that the last requests exceed and the others do not
        $text =~ s/burst=200/burst=60/;
        example($text, files => \&certificate)->served($users, port => 1, tls => 1);
        my $token = $t->token($t->tenant('acme'), label => 'entra');
        my $client = $t->client(port => 1, tls => 1, token => $token);
        my $r = $client->request(POST => $users, body => $Scim::json->encode(Scim::user('ada')) . ' ' x 2_000_000);
        is_user $r, 201, 'a large request over TLS';
        is $r->{headers}{location}, "https://id.example.com$users/$r->{json}{id}", 'at the public address';
        is_error $client->request(POST => $users, body => ' ' x (17 << 20)), 413, '', qr/client_max_body_size/, 'a body that is too large';
        base_itself($client, '', 1);

        my $raw = sub {
            my $stranger = $t->client(port => 1, tls => 1);
            $stranger->write($_[0]) or diag $stranger->{error};
            return $stranger->receive;
        };
        my $host = 'Host: id.example.com';
        is_error $raw->("GET $users\x01 HTTP/1.1\r\n$host\r\n\r\n"), 400, '', qr/not valid HTTP/, 'a bad request line';
        is_error $raw->("nonsense\r\n\r\n"), 400, '', qr/not valid HTTP/, 'none at all';
        is_error $raw->("GET $users HTTP/1.1\r\n\r\n"), 400, '', qr/not valid HTTP/, 'no Host';
        is_error $raw->("GET $users?filter=" . 'x' x 40_000 . " HTTP/1.1\r\n$host\r\n\r\n"), 414, '',
            qr/request line is longer than large_client_header_buffers/, 'a long request line';
        is_error $raw->("GET $users HTTP/1.1\r\n$host\r\nX-Long: " . 'x' x 40_000 . "\r\n\r\n"), 431, '',
            qr/headers are larger than large_client_header_buffers/, 'a long header';
        is_error $raw->("TRACE $users HTTP/1.1\r\n$host\r\n\r\n"), 405, '', qr/method/, 'TRACE';
        is_error $raw->("GET $users HTTP/3.0\r\n$host\r\n\r\n"), 505, '', qr/version of HTTP/, 'another version of HTTP';
        is_error $raw->("POST $users HTTP/1.1\r\n$host\r\nTransfer-Encoding: gzip\r\n\r\n"), 501, '',
            qr/Transfer-Encoding than chunked/, 'another transfer encoding';
        is_error $raw->("GET $users%00 HTTP/1.1\r\n$host\r\n\r\n"), 400, '', qr/not valid HTTP/, 'an address with a zero byte';
        is_error $t->request(GET => $users, port => 1), 400, '', qr/plain HTTP/, 'plain HTTP';
        is_error $client->request(GET => '/Users'), 404, '', qr{base URL is https://id\.example\.com/scim/v2 }, 'another address';
        is $client->request(GET => '/scim-error')->{status}, 404, 'which is nobody\'s to ask for';
        is_error $client->request(GET => '/scim/v2/Nothing'), 404, '', qr/\w/, 'in its location the module says it';

        my @answers = $client->pipeline(map [GET => "$users?count=0"], 1 .. 200);
        my ($limited) = grep $_->{status} == 429, @answers;
        is_error $limited, 429, '', qr/limit/, 'a burst of one token';
        cmp_ok scalar(grep $_->{status} == 200, @answers), '>', 40, 'which has more than strangers have';
        like $limited->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'with Retry-After';
        is $t->request(GET => "$users?count=0", port => 1, tls => 1, token => $t->token($t->tenant('globex'), label => 'entra'))->{status},
            200, 'another tenant\'s token of that label is served';
        $client = $t->client(port => 1, tls => 1, token => 'guess');
        @answers = $client->pipeline(map [GET => $users], 1 .. 60);
        is join(' ', sort keys %{ { map { $_->{status} => 1 } @answers } }), '401 429', 'strangers are slowed down';
        is $t->request(GET => "$users?count=0", port => 1, tls => 1, token => $t->token('acme', label => 'okta'))->{status}, 200,
            'and another token is served';
        my @lines = logged('scim.log', qr/"status":431/);
        is scalar(grep $_->{bad}, @lines), 0, 'the log has all of them';
    },
    'multi-tenant.conf' => sub {
        example(slurp('multi-tenant.conf'))->served($users, port => 1);
        my %token = map { $_ => $t->token($t->tenant($_)) } qw(acme globex);
        my $ask = sub {
            my ($tenant, $port, $path, %headers) = @_;
            return $t->request(GET => $path, port => $port, token => $token{$tenant}, headers => \%headers);
        };
        my $r = $t->request(POST => $users, port => 1, token => $token{acme}, json => Scim::user('ada'));
        is_user $r, 201, 'a user of one tenant';
        my $id = $r->{json}{id};
        my $base = 'https://id.example.com';
        for (
            ['one URL for all', 1, '', {}, "$base/scim/v2", 404],
            ['by path', 1, '/t/acme', {}, "$base/t/acme/scim/v2", 403],
            ['by host', 1, '', { Host => 'acme.scim.example.com' }, 'https://acme.scim.example.com/scim/v2', 403],
            ['by header', 2, '', { 'X-Tenant' => 'acme' }, "$base/scim/v2", 403],
        ) {
            my ($name, $port, $prefix, $headers, $url, $others) = @$_;
            $r = $ask->('acme', $port, "$prefix$users/$id", %$headers);
            is_user $r, 200, "$name: the tenant's user";
            is $r->{headers}{location}, "$url/Users/$id", 'at its address';
            is $ask->('globex', $port, "$prefix$users/$id", %$headers)->{status}, $others, 'another tenant does not see it';
            base_itself($t->client(port => $port, token => $token{acme}), $prefix, 1, %$headers);
        }
        is $ask->('acme', 2, $users)->{status}, 403, 'without the header nobody is let in';
        is $ask->('globex', 1, $users, Host => 'globex.scim.example.com')->{json}{totalResults}, 0, 'the other has its own URL';
    },
);

# The certificate that a configuration names.
sub certificate {
    my ($dir) = @_;
    my ($exit, $out, $err) = $t->run('', qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=id.example.com -days 2),
        '-keyout', "$dir/id.example.com.key", '-out', "$dir/id.example.com.pem");
    $exit == 0 or die $err;
    return;
}

for my $name (names()) {
    note $name;
    $try{$name} ? $try{$name}->() : fail "$name is tried";
}
is join(' ', grep !-e "$dir/$_", sort keys %try), '', 'nothing is tried that is not there';

$t->finish;
