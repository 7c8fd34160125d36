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
    if ($t) {
        ok $t->quit, 'nginx ends';
        is join('', $t->complaints), '', 'without complaints';
    }
    $t = Scim->new(%part);
    $t->write_file($_, slurp($_)) for names();
    my $n = $text =~ /^http \{/m ? 0 : 1;
    $text =~ s/^load_module .*$//mg;
    $text =~ s{/var/lib/nginx/scim}{$t->{dir}/store}g;
    $text =~ s{/var/log/nginx}{$t->{dir}}g;
    $text =~ s/127\.0\.0\.1:\d+/'127.0.0.1:%%PORT' . $n++ . '%%'/ge;
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

my %try = (
    'quickstart.conf' => sub {
        my $text = slurp('quickstart.conf');
        my @commands = $text =~ /^#\s+scimctl --store \S+ (.*)/mg;
        example($text)->served($users, port => 1);
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
        is $t->request(GET => $users, port => 1)->{status}, 401, 'without it nothing is';
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
        my $client = $t->client(token => $token);
        my $r = $client->request(POST => $users, json => $ada);
        is_user $r, 201, 'a user of one tenant';
        is_deeply $r->{json}{$acme}, $badge, 'with the operator\'s schema';
        is $r->{headers}{location}, "$base/scim/v2/Users/$r->{json}{id}", 'at the public address';
        my $id = $r->{json}{id};
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
        my @lines = logged('scim.log', qr/"token":"okta".*"status":200|"status":200.*"token":"okta"/);
        is join(' ', sort keys %{ { map { $_->{token} => 1 } grep length $_->{token}, @lines } }), 'entra okta', 'the log names the tokens';
    },
);

for my $name (names()) {
    note $name;
    $try{$name} ? $try{$name}->() : fail "$name is tried";
}
is join(' ', grep !-e "$dir/$_", sort keys %try), '', 'nothing is tried that is not there';

$t->finish;
